"""`python -m turnenv`: commands for those who write or use environments."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
import time
from collections.abc import Callable, Sequence

import gymnasium

from turnenv.checker import Agent, check_env
from turnenv.judges import EndpointJudge, Judge
from turnenv.judges.local import LocalJudge
from turnenv.judges.probes import CRITERIA, Verdict, atlas_samples, findings_table, probe_judge

_EXAMPLES = """
examples:
  python -m turnenv check turnenv/GuessNumber-v0
  python -m turnenv check --all --no-parallel
  python -m turnenv check my_package:me/Nim-v0 --agent my_package:make_player

An id alone is checked with random and nasty texts. Some claims (that no loop earns more than solving) need an agent
that gets somewhere: --agent names a function that returns a fresh one an episode, from observation to action.
The exit code is 0 if every id keeps the contract, 1 if one breaks it, 2 if the command was mistaken.
"""


_PROBE_EXAMPLES = """
examples:
  python -m turnenv probe-judge --local Qwen/Qwen2.5-1.5B-Instruct
  python -m turnenv probe-judge --endpoint http://127.0.0.1:8000/v1 --model my-judge --samples 20

Each probe scores turns with and without what ought not to matter and reports the mean shift of the score (0…1) with its
95 % interval. Samples are questions of the bundled atlas, answered rightly and wrongly beside the article. The exit
code is 0 if all probes hold, 1 if one does not, 2 if the command was mistaken.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m turnenv", description="Multi-turn text environments.")
    commands = parser.add_subparsers(required=True, dest="command", metavar="command")
    check, probe = _add_check(commands), _add_probe(commands)
    given = parser.parse_args(arguments)
    if given.command == "probe-judge":
        if given.endpoint and not given.model:
            probe.error("--endpoint needs --model")
        return _probe_judge(given)
    try:
        ids = [_registered(name) for name in given.ids]
        agent = None if given.agent is None else _agent(given.agent)
    except (ImportError, ValueError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    if given.all:
        ids += [env_id for env_id in gymnasium.registry if env_id.startswith("turnenv/")]
    if not ids or given.episodes < 1:
        check.error("name at least one id, or --all, and at least one episode")
    kept = [_check(env_id, agent, given) for env_id in dict.fromkeys(ids)]
    return 0 if all(kept) else 1


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    check = commands.add_parser(
        "check",
        help="check that environments keep the contract",
        description="Check that environments keep the contract: seeds, rewards, snapshots, batches, no farming.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("ids", nargs="*", metavar="ID", help="ns/Name-v0, or module:ns/Name-v0 to import a module first")
    check.add_argument("--all", action="store_true", help="every registered id of the namespace turnenv")
    check.add_argument(
        "--agent", metavar="MODULE:FUNCTION", help="plays the episodes (default: random and nasty texts)"
    )
    check.add_argument("--episodes", type=int, default=8, help="episodes the agent plays (default 8)")
    check.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    check.add_argument(
        "--parallel",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also check Gymnasium's batch over processes (default: yes)",
    )
    return check


def _add_probe(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    probe = commands.add_parser(
        "probe-judge",
        help="tell how hackable a judge of turns is",
        description="Probe a judge for position, verbosity, injection and forgery: how far do its scores move?",
        epilog=_PROBE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = probe.add_mutually_exclusive_group(required=True)
    which.add_argument("--local", metavar="MODEL", help="a transformers model, by name or folder")
    which.add_argument("--endpoint", metavar="URL", help="an OpenAI-compatible endpoint; key in OPENAI_API_KEY")
    probe.add_argument("--model", help="the model's name at the endpoint")
    probe.add_argument("--samples", type=int, default=40, help="turns to judge, about 13 verdicts each (default 40)")
    probe.add_argument("--seed", type=int, default=0, help="which turns (default 0)")
    probe.add_argument("--tolerance", type=float, default=0.05, help="the shift that does not matter (default 0.05)")
    probe.add_argument("--min-mass", type=float, default=0.1, help="of a local model; see LocalJudge (default 0.1)")
    return probe


def _check(env_id: str, agent: Agent | None, given: argparse.Namespace) -> bool:
    start = time.perf_counter()
    try:
        checks = check_env(env_id, agent, episodes=given.episodes, seed=given.seed, parallel=given.parallel)
    except Exception as error:  # noqa: BLE001 (whatever an environment raises is its breach, and the next id's turn)
        print(f"{env_id} BREAKS the contract: {error or type(error).__name__}")
        return False
    print(f"{env_id} keeps the contract ({time.perf_counter() - start:.1f} s)")
    for check in checks:
        print(f"  could not check: {check.claim}: {check.unchecked}" if check.unchecked else f"  {check.claim}")
    return True


def _probe_judge(given: argparse.Namespace) -> int:
    def make_judge(rubric: str) -> Judge:
        if given.local:
            return LocalJudge(given.local, rubric=rubric, min_mass=given.min_mass)
        return EndpointJudge(given.model, rubric, given.endpoint, cache_dir=None)

    try:
        samples = atlas_samples(given.samples, given.seed)
        findings = probe_judge(make_judge, CRITERIA, samples, tolerance=given.tolerance)
    except (ImportError, OSError, ValueError) as error:
        print(f"python -m turnenv: error: {error}", file=sys.stderr)
        return 2
    print(findings_table(findings))
    for cause in dict.fromkeys(finding.error for finding in findings if finding.error):
        print(f"no verdict: {cause}", file=sys.stderr)
    return 0 if all(finding.verdict is Verdict.HOLDS for finding in findings) else 1


def _registered(name: str) -> str:
    """The id, its module imported.

    Raises:
        ImportError: if there is no such module.
        ValueError: if the id is not registered; the message names those like it.
    """
    module, _, env_id = name.rpartition(":")
    if module:
        importlib.import_module(module)
    if env_id not in gymnasium.registry:
        like = difflib.get_close_matches(env_id, gymnasium.registry, n=3)
        hint = f"; did you mean {' or '.join(like)}?" if like else "; 'module:ns/Name-v0' imports a module first"
        raise ValueError(f"no environment {env_id!r} is registered{hint}")
    return env_id


def _agent(name: str) -> Agent:
    module, _, function = name.partition(":")
    make = getattr(importlib.import_module(module), function, None)
    if not callable(make):
        raise ValueError(f"--agent {name!r}: give MODULE:FUNCTION, a function of that module that makes an agent")
    return one_an_episode(make)


def one_an_episode(make_agent: Callable[[], Callable[[str], str]]) -> Agent:
    """A fresh agent for each episode, as `check_env` takes one."""
    act = make_agent()

    def play(observation: str, turn: int) -> str:
        nonlocal act
        if turn == 0:
            act = make_agent()
        return act(observation)

    return play


if __name__ == "__main__":
    sys.exit(main())
