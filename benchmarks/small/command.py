"""The command line that `python -m agents.small.tabular` and `python -m agents.small.mlp` share."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.options import json_object
from agents.small.learner import Learner
from agents.small.worlds import World, make_world
from benchmarks.harness.methods import HELP, check_methods, parse_methods
from benchmarks.small.rows import add_row, read_rows
from benchmarks.small.runs import Row, Settings, train
from turnenv.credit import Estimator

_EXAMPLES = """examples:
  python -m agents.{name} --env CreditChain-easy
  python -m agents.{name} --env GridQuest --credit grpo_or,mt_grpo,mt_grpo:accumulate=true --iterations 400
  python -m agents.{name} --env CreditChain --env-kwargs '{{"mode": "hackable"}}' --credit grpo_or,mt_grpo
  python -m agents.{name} --env FrozenLake-v1 --learning-rate 1 3 10
  python -m agents.{name} --env Taxi-v4 --credit grpo_mr,my_module:my_function

environments: those that can be solved exactly. turnenv's CreditChain, GridQuest and BlocksArm (with -easy, -hard, …)
keep their own turn rewards; Gymnasium's FrozenLake, Taxi and CliffWalking get potential-based ones from the shortest
distance in their own transition table, and their success as the outcome. Every point of a curve is the policy's exact
chance of success, so that seeds differ by training alone.
The same command goes on where it was stopped: a finished run is never repeated.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of policy.

    Attributes:
        name: `tabular` for `python -m agents.small.tabular`.
        title: what it is, for `--help`.
        learning_rates: by default.
        make: makes a fresh policy for a world, a learning rate, a seed and the parsed arguments.
        add_arguments: adds the options that only this kind has.
    """

    name: str
    title: str
    learning_rates: tuple[float, ...]
    make: Callable[[World, float, int, Namespace], Learner]
    add_arguments: Callable[[ArgumentParser], None] = lambda parser: None


def main(kind: Kind, arguments: Sequence[str] | None = None) -> int:
    """Train, print the tables, write report and picture; a mistake of the user's is one line and exit code 2."""
    parser = _parser(kind)
    given = parser.parse_args(arguments)
    try:
        print(compare(kind, given, _own_options(kind, given)))
    except (ValueError, TypeError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted: finished runs are kept; the same command goes on from there", file=sys.stderr)
        return 130
    return 0


def compare(kind: Kind, given: Namespace, own: str) -> str:
    """Train what is missing and return the report, which is also written beside the rows.

    Args:
        kind: of policy.
        given: the parsed arguments.
        own: the options that only this kind has, as the settings record them.
    """
    from benchmarks.small.picture import draw
    from benchmarks.small.report import render

    named = parse_methods(given.credit)
    check_methods(named, shared=given.credit_kwargs)
    methods = {method.label: method.estimator(**given.credit_kwargs) for method in named}
    world = make_world(given.env, given.env_kwargs, given.tasks)
    planned = list(_plan(kind, given, methods, own))
    folder = given.out or Path("results") / kind.name / given.env.replace("/", "-")
    path = folder / "rows.jsonl"
    done = {row.settings: row for row in read_rows(path)}
    missing = [settings for settings in planned if settings not in done]
    if len(missing) < len(planned):
        print(f"{len(planned) - len(missing)} of {len(planned)} runs were finished before", file=sys.stderr)
    for row in _train_all(kind, given, world, methods, missing):
        add_row(path, row)
        done[row.settings] = row
    rows = [done[settings] for settings in planned]
    report = render(rows, given.threshold, world.optimum)
    (folder / "report.md").write_text(report, encoding="utf-8")
    draw(rows, folder / "curves.png")
    return f"{report}\nRows, report and curves: {folder}"


def _plan(kind: Kind, given: Namespace, methods: dict[str, Estimator], own: str) -> Iterator[Settings]:
    """Seed by seed, so that what a stopped command leaves is paired."""
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        for label in methods:
            for rate in given.learning_rate:
                yield Settings(
                    policy=f"{kind.name}{own}",
                    env=given.env,
                    env_kwargs=json.dumps(given.env_kwargs, sort_keys=True),
                    tasks=given.tasks,
                    method=label,
                    credit_kwargs=json.dumps(given.credit_kwargs, sort_keys=True),
                    learning_rate=rate,
                    seed=seed,
                    groups=given.groups,
                    group_size=given.group_size,
                    iterations=given.iterations,
                    evaluate_every=given.evaluate_every,
                )


def _train_all(
    kind: Kind, given: Namespace, world: World, methods: dict[str, Estimator], missing: Sequence[Settings]
) -> Iterator[Row]:
    from tqdm import tqdm

    total = sum(settings.iterations for settings in missing)
    with tqdm(total=total, unit="update", disable=None if missing else True) as bar:

        def progress(iteration: int, success: float) -> None:
            bar.set_postfix_str(f"success {success:.0%}", refresh=False)
            bar.update(1)

        for settings in missing:
            bar.set_description(f"{settings.method} lr {settings.learning_rate:g} seed {settings.seed}")
            learner = kind.make(world, settings.learning_rate, settings.seed, given)
            yield train(settings, world, learner, methods[settings.method], progress)


def _parser(kind: Kind) -> ArgumentParser:
    parser = ArgumentParser(
        prog=f"python -m agents.{kind.name}",
        description=f"Train {kind.title} by plain policy gradient with the estimators of turnenv.credit, several side "
        "by side over the same seeds, and report with intervals.",
        epilog=_EXAMPLES.format(name=kind.name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--env", default="CreditChain-easy", help="what is played; turnenv/ and -v0 may be left out (%(default)s)")
    add("--env-kwargs", type=json_object, default={}, metavar="JSON", help="its arguments, e.g. '{\"length\": 8}'")
    add("--tasks", type=_positive, default=1, help="tasks 0 … N-1 are played, evenly (%(default)s)")
    add(
        "--credit",
        default="grpo_or,grpo_mr,mt_grpo",
        help=f"{HELP}; the first is what the others are compared with (%(default)s)",
    )
    add("--credit-kwargs", type=json_object, default={}, metavar="JSON", help="options for every method")
    add("--seeds", type=_positive, default=5, help="runs of each method (%(default)s)")
    add("--first-seed", type=int, default=0, help="the first seed (%(default)s)")
    add("--groups", type=_positive, default=4, help="groups an update, each of one task and one noise (%(default)s)")
    add("--group-size", type=_positive, default=8, help="episodes a group (%(default)s)")
    add("--iterations", type=_positive, default=100, help="updates (%(default)s)")
    add("--evaluate-every", type=_positive, default=1, help="updates between points of the curve (%(default)s)")
    rates = " ".join(f"{rate:g}" for rate in kind.learning_rates)
    add(
        "--learning-rate",
        type=_rate,
        nargs="+",
        default=list(kind.learning_rates),
        metavar="RATE",
        help=f"several are swept, equally for every method, and its best is reported ({rates})",
    )
    add(
        "--threshold",
        type=float,
        default=0.9,
        help="share of the optimum to count episodes to (%(default)s)",
    )
    add("--out", type=Path, help=f"folder of rows.jsonl, report.md and curves.png (results/{kind.name}/ENV)")
    kind.add_arguments(parser)
    return parser


def _own_options(kind: Kind, given: Namespace) -> str:
    """The options that only this kind has, as its settings name them."""
    alone = ArgumentParser()
    kind.add_arguments(alone)
    names = [action.dest for action in alone._actions if action.dest != "help"]
    return "".join(f" {name}={json.dumps(getattr(given, name))}" for name in names)


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {text}")
    return value


def _rate(text: str) -> float:
    if not (value := float(text)) > 0.0:
        raise argparse.ArgumentTypeError(f"must be above 0; got {text}")
    return value
