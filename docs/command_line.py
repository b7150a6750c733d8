"""Writes the page of the command line from the parsers themselves."""

import os
from pathlib import Path

from turnenv.commands.main import make_parser

PAGE = "reference/command-line.md"


def write_command_line(site: Path) -> None:
    """Write the help of `turnenv` and of each command, as wide as a page and without colours."""
    os.environ |= {"COLUMNS": "90", "NO_COLOR": "1"}
    parser, commands = make_parser()
    sections = ["# The command line", _block(parser.format_help())]
    for name, command in commands.items():
        sections += [f"## `turnenv {name}`", _block(command.format_help())]
    page = site / PAGE
    text = "\n\n".join(sections) + "\n"
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def _block(help_text: str) -> str:
    return f"```text\n{help_text.strip()}\n```"
