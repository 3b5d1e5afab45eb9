"""The verb ``gradpress completion``: what a shell reads to complete names of options and verbs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from gradpress.commands.answers import CONTEXT, answer, ended

PROGRAM = "gradpress"
VARIABLE = "_GRADPRESS_COMPLETE"
"""By this environment variable the script asks gradpress for completions."""
HELP = """Print the script by which a shell completes gradpress's options, verbs and files.

\b
bash   gradpress completion bash > ~/.local/share/bash-completion/completions/gradpress
zsh    gradpress completion zsh > _gradpress        in a folder of $fpath
fish   gradpress completion fish > ~/.config/fish/completions/gradpress.fish
"""


@click.command(context_settings=CONTEXT, help=HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script."""

    def work() -> int:
        from gradpress.commands.cli import main  # noqa: PLC0415

        kind = get_completion_class(shell)
        assert kind is not None
        answer(kind(main, {}, PROGRAM, VARIABLE).source())
        return 0

    context.exit(ended(work))
