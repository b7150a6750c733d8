"""`turnenv check`: do environments keep the contract?"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from turnenv.commands.console import Commands, MistakeError, Parser, paint, print_json, visible
from turnenv.commands.ids import ID_HELP, resolve_id
from turnenv.envs import IDS

if TYPE_CHECKING:
    from turnenv.checker import Agent

_HELP = """
examples:
  turnenv check GuessNumber --no-parallel
  turnenv check --all --no-parallel --episodes 2
  turnenv check my_package:me/Nim-v0 --agent my_package:make_player

An id is checked with random and nasty texts. Some claims (that no loop earns more than solving) need an agent that
makes progress: --agent names a function that returns a fresh one per episode, from observation to action. The exit code
is 0 if every id keeps the contract, 1 if one breaks it.
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser("check", help="check that environments keep the contract", epilog=_HELP)
    parser.description = "Check that environments keep the contract: seeds, rewards, snapshots, batches, no farming."
    parser.add_argument("ids", nargs="*", metavar="ID", help=ID_HELP)
    parser.add_argument("--all", action="store_true", help="every id of turnenv")
    parser.add_argument(
        "--agent", metavar="MODULE:FUNCTION", help="plays the episodes (default: random and nasty texts)"
    )
    parser.add_argument("--episodes", type=int, default=8, help="episodes that the agent plays (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument(
        "--parallel",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also check Gymnasium's batch over processes (default: yes)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Check each id; 1 if one breaks the contract.

    Raises:
        MistakeError: if no id is named, or one that is not registered, or there is no such agent.
    """
    ids = [resolve_id(name) for name in given.ids] + (list(IDS) if given.all else [])
    agent = None if given.agent is None else _agent(given.agent)
    if not ids or given.episodes < 1:
        raise MistakeError("name at least one id, or --all, and at least one episode; see: turnenv check --help")
    reports = []
    for env_id in dict.fromkeys(ids):
        reports.append(_check(env_id, agent, given))
        if not given.json:
            _print(reports[-1])
    if given.json:
        print_json({"environments": reports})
    return 0 if all(report["breach"] is None for report in reports) else 1


def _check(env_id: str, agent: Agent | None, given: argparse.Namespace) -> dict[str, Any]:
    from turnenv.checker import check_env

    start, checks, breach = time.perf_counter(), [], None
    try:
        found = check_env(env_id, agent, episodes=given.episodes, seed=given.seed, parallel=given.parallel)
        checks = [{"claim": check.claim, "unchecked": check.unchecked or None} for check in found]
    except Exception as error:  # noqa: BLE001 (whatever an environment raises is its breach, and the next id's turn)
        breach = str(error) or type(error).__name__
    return {"id": env_id, "breach": breach, "checks": checks, "seconds": round(time.perf_counter() - start, 1)}


def _print(report: dict[str, Any]) -> None:
    if report["breach"] is not None:
        print(f"{report['id']} {paint('BREAKS', 'red')} the contract: {visible(report['breach'])}")
        return
    print(f"{report['id']} {paint('keeps', 'green')} the contract ({report['seconds']} s)")
    for check in report["checks"]:
        claim, unchecked = visible(check["claim"]), check["unchecked"]
        print(f"  could not check: {claim}: {visible(unchecked)}" if unchecked else f"  {claim}")


def _agent(name: str) -> Agent:
    module, _, function = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), function, None)
    except (ImportError, ValueError) as error:
        raise MistakeError(f"--agent {name!r}: {error}") from error
    if not callable(make):
        raise MistakeError(f"--agent {name!r}: give MODULE:FUNCTION, a function of that module that makes an agent")
    return fresh_each_episode(make)


def fresh_each_episode(make_agent: Callable[[], Callable[[str], str]]) -> Agent:
    """A fresh agent for each episode, in the form that `check_env` takes."""
    act = make_agent()

    def play(observation: str, turn: int) -> str:
        nonlocal act
        if turn == 0:
            act = make_agent()
        return act(observation)

    return play
