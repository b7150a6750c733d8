"""`turnenv check`: do environments keep the contract?"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from dataclasses import asdict
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
  turnenv check turnenv.adapters.toy_text:frozen_lake

An id is checked with random and nasty texts. Some claims (that no loop earns more than solving) need an agent that
makes progress: --agent names a function that returns a fresh one per episode, from observation to action. The exit code
is 0 if every id keeps the contract, 1 if one breaks it.

An environment that was not written for turnenv, or that is wrapped, is tried instead: the report says which guarantees
hold, and what cannot be done without the others. The exit code is 1 if a reward is lost or equal seeds differ.
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


def _check(env: str, agent: Agent | None, given: argparse.Namespace) -> dict[str, Any]:
    from turnenv.adapters import as_text_env
    from turnenv.core import TextEnv

    start = time.perf_counter()
    try:
        bare = isinstance(as_text_env(env), TextEnv)
        found = _contract(env, agent, given) if bare else _guarantees(env, agent, given)
    except Exception as error:  # noqa: BLE001 (whatever an environment raises is its breach, and the next id's turn)
        found = {"breach": str(error) or type(error).__name__, "checks": []}
    return {"id": env, "seconds": round(time.perf_counter() - start, 1), **found}


def _contract(env: str, agent: Agent | None, given: argparse.Namespace) -> dict[str, Any]:
    from turnenv.checker import check_env

    found = check_env(env, agent, episodes=given.episodes, seed=given.seed, parallel=given.parallel)
    return {"breach": None, "checks": [{"claim": check.claim, "unchecked": check.unchecked or None} for check in found]}


def _guarantees(env: str, agent: Agent | None, given: argparse.Namespace) -> dict[str, Any]:
    from turnenv.checker import NASTY_ACTIONS, find_guarantees, random_texts
    from turnenv.checker.guarantees import possible_estimators

    found = find_guarantees(
        env, agent or random_texts(given.seed), NASTY_ACTIONS, episodes=given.episodes, seed=given.seed
    )
    broken = next((each.note for each in found if each.essential and not each.holds), None)
    guarantees = [asdict(each) for each in found]
    return {"breach": broken, "checks": [], "guarantees": guarantees, "estimators": possible_estimators(found)}


def _print(report: dict[str, Any]) -> None:
    if report["breach"] is not None:
        print(f"{report['id']} {paint('BREAKS', 'red')} the contract: {visible(report['breach'])}")
    elif "guarantees" not in report:
        print(f"{report['id']} {paint('keeps', 'green')} the contract ({report['seconds']} s)")
    else:
        print(f"{report['id']} can be played and trained on ({report['seconds']} s)")
    for check in report["checks"]:
        claim, unchecked = visible(check["claim"]), check["unchecked"]
        print(f"  could not check: {claim}: {visible(unchecked)}" if unchecked else f"  {claim}")
    for each in report.get("guarantees", ()):
        if each["holds"]:
            print(f"  holds: {each['claim']}")
        else:
            print(f"  does not hold: {each['claim']} (needed for {each['needed_for']}): {visible(each['note'])}")
    if "estimators" in report:
        print(f"  estimators that can be trained with: {', '.join(report['estimators']) or 'none'}")


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
