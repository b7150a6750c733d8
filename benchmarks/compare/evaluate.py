"""Let a model play the held-out tasks of the suites, the ones that `compare` evaluates on."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from benchmarks.compare.evaluation import held_out_plan
from benchmarks.compare.suites import SUITES, suite_of
from turnenv.adapters import as_text_env
from turnenv.commands.console import MistakeError, UnavailableError
from turnenv.commands.evaluate import add_options, evaluate
from turnenv.commands.json_option import read_object
from turnenv.evaluation.playing import Plan

if TYPE_CHECKING:
    from turnenv.core.contract import TextEnvironment
    from turnenv.policies import Scripted

EXAMPLES = """\
examples:
  python -m benchmarks evaluate --model scripted --episodes 20
  python -m benchmarks evaluate TriviaSearch --model openai:MODEL --base-url http://127.0.0.1:8000/v1 --out runs/trivia

--model scripted lets the experts of agents.scripted play. --seed names the same episodes as a seed of compare.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ids and the options of `turnenv evaluate`."""
    parser.add_argument("ids", metavar="ID", nargs="*", default=list(SUITES), help="environments; all suites' if none")
    add_options(parser)


def run(given: argparse.Namespace) -> int:
    """Evaluate.

    Raises:
        ValueError: if an argument is wrong, or the folder holds another evaluation.
        ConnectionError: if the server refuses whatever it is asked.
    """
    kwargs = read_object("--env-kwargs", given.env_kwargs)
    kwargs |= {} if given.split is None else {"split": given.split}

    def plan_of(env_id: str) -> Plan:
        settings: dict[str, Any] = {**suite_of(env_id).eval_kwargs, **kwargs}
        seeds, tasks = held_out_plan(given.seed, given.episodes, as_text_env(env_id, **settings).num_tasks)
        return Plan(env_id, seeds, settings, tasks)

    try:
        return evaluate(given, plan_of, _expert if given.model == "scripted" else None)
    except MistakeError as error:
        raise ValueError(str(error)) from error
    except UnavailableError as error:
        raise ConnectionError(str(error)) from error


def _expert(env: TextEnvironment) -> Scripted:
    from agents.scripted import EXPERTS
    from turnenv.policies import Scripted

    env_id = None if env.spec is None else env.spec.id
    if env_id is None or env_id not in EXPERTS:
        raise ValueError(f"there is no scripted expert for {env_id or env}; there is one for each id of turnenv")
    return Scripted(EXPERTS[env_id])
