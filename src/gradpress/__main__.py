"""``python -m gradpress``: the command line."""

from gradpress.commands.cli import main

main(prog_name="gradpress")
