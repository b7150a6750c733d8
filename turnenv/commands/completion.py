"""`turnenv completion`: the script that completes commands, options and ids at TAB."""

from __future__ import annotations

import argparse

from turnenv.commands.console import Commands, Parser
from turnenv.commands.ids import short_name
from turnenv.envs import IDS

_SHELLS = ("bash", "zsh", "tcsh")
_HELP = """
examples:
  turnenv completion bash > turnenv.bash
  turnenv completion zsh > _turnenv
  turnenv completion tcsh > turnenv.csh

Bash: put the file into ~/.local/share/bash-completion/completions/ under the name turnenv, or source it. Zsh: put it
into a folder of $fpath. Tcsh: source it.
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser("completion", help="the script that completes at TAB", epilog=_HELP)
    parser.description = "Print the script that completes commands, options and ids at TAB."
    parser.add_argument("shell", choices=_SHELLS, help="whose script")
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Print it."""
    import shtab

    from turnenv.commands.main import make_parser

    names = " ".join(map(short_name, IDS))
    parser, made = make_parser()
    ids = {"bash": "_turnenv_ids", "zsh": f"({names})", "tcsh": f"({names})"}
    for command in made.values():
        for action in command._actions:
            if action.metavar == "ID":
                action.complete = ids  # type: ignore[attr-defined]
    preamble = {"bash": f'_turnenv_ids() {{ compgen -W "{names}" -- "$1"; }}'}
    print(shtab.complete(parser, given.shell, preamble=preamble))
    return 0
