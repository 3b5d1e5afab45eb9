"""``python -m gradpress``: the command line."""

from gradpress.cli import main

main(prog_name="gradpress")
