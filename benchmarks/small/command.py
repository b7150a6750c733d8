"""Compare methods on small policies, trained by plain policy gradient on environments that can be solved exactly."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agents.options import count, positive, share
from benchmarks.harness.options import add_json, add_methods, add_seeds, parse_seeds
from benchmarks.harness.settings import add_settings, read_settings
from benchmarks.small.policies import LEARNING_RATES, MLP_OPTIONS, make_policy, policy_options

if TYPE_CHECKING:
    from agents.small.worlds import World
    from benchmarks.harness.methods import Method
    from benchmarks.small.records import Row, Run, Settings

EXAMPLES = """\
examples:
  python -m benchmarks small
  python -m benchmarks small --env GridQuest-easy --methods grpo_or,mt_grpo,mt_grpo:accumulate=true --steps 200
  python -m benchmarks small --env CreditChain --env-kwargs '{"mode": "hackable"}' --methods grpo_or,mt_grpo
  python -m benchmarks small --env FrozenLake-v1 --learning-rate 1 3 10
  python -m benchmarks small --policy mlp --hidden 32 32 --methods grpo_mr,turnenv.credit:mt_grpo

environments: those that can be solved exactly. turnenv's CreditChain, GridQuest and BlocksArm (with -easy, -hard, …)
keep their own turn rewards; Gymnasium's FrozenLake, Taxi and CliffWalking get potential-based ones from the shortest
distance in their own transition table, and their success as the outcome. Every point of a curve is the policy's exact
chance of success, so that seeds differ by training alone.

what is written to --out:
  rows.jsonl   one line per finished run: settings, curve, provenance
  report.md    means with 95 % intervals over seeds, paired differences (also printed)
  curves.png   success against episodes, one band per method

The same command goes on where it was stopped: a finished run is never repeated.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from benchmarks.small.records import Settings

    add = parser.add_argument
    add_methods(parser, "the first is what the others are compared with")
    add_seeds(parser, "5")
    add_settings(parser, Settings)
    rates = ", ".join(f"{rate:g} for {kind}" for kind, rate in LEARNING_RATES.items())
    add(
        "--learning-rate",
        type=positive,
        nargs="+",
        metavar="RATE",
        help=f"several are swept, the same for every method, and each method's best is marked (default: {rates})",
    )
    add(
        "--hidden",
        type=count,
        nargs="*",
        metavar="UNITS",
        help=f"mlp: units of each hidden layer; no number for a linear policy (default: {MLP_OPTIONS['hidden'][0]})",
    )
    add(
        "--optimizer",
        choices=("adam", "sgd"),
        help=f"mlp: adam evens out the scales of the estimators, sgd does not (default: {MLP_OPTIONS['optimizer']})",
    )
    add("--threshold", type=share, default=0.9, help="share of the optimum to which episodes are counted")
    add("--out", type=Path, help="folder of the results (default: results/small/POLICY/ENV)")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Train what is missing, write report and picture, print the report."""
    from agents.small.worlds import make_world
    from benchmarks.harness.methods import check_methods, parse_methods
    from benchmarks.small.picture import draw
    from benchmarks.small.records import RowFile
    from benchmarks.small.report import render, results

    methods = parse_methods(given.methods)
    check_methods(methods)
    runs = plan(
        _settings(given), methods, given.learning_rate or [LEARNING_RATES[given.policy]], parse_seeds(given.seeds)
    )
    world = make_world(given.env, given.env_kwargs, given.tasks)
    folder = given.out or Path("results/small") / given.policy / given.env.replace("/", "-")
    file = RowFile(folder)
    done = {row.run_id: row for row in file.read()}
    missing = [run for run in runs if run.run_id not in done]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} finished already; results in {folder}", file=sys.stderr)
    for row in _do_all(missing, world):
        file.append(row)
        done[row.run_id] = row
    rows = [done[run.run_id] for run in runs]
    report = render(rows, given.threshold, world.optimum)
    (folder / "report.md").write_text(report, encoding="utf-8")
    draw(rows, folder / "curves.png")
    print(json.dumps({"schema": 1, **results(rows, given.threshold, world.optimum)}) if given.json else report)
    print(f"in {folder}: rows.jsonl, report.md, curves.png", file=sys.stderr)
    return 0


def plan(settings: Settings, methods: Sequence[Method], rates: Sequence[float], seeds: Sequence[int]) -> list[Run]:
    """Every run, seed by seed, so that what a stopped command leaves is paired."""
    from benchmarks.small.records import Run

    return [
        Run(settings=settings, method=method, learning_rate=rate, seed=seed)
        for seed in seeds
        for method in methods
        for rate in dict.fromkeys(rates)
    ]


def _settings(given: argparse.Namespace) -> Settings:
    from benchmarks.small.records import Settings

    own = policy_options(given.policy, {name: getattr(given, name) for name in MLP_OPTIONS})
    return read_settings(Settings, given, policy_kwargs=own)


def _do_all(runs: Sequence[Run], world: World) -> Iterator[Row]:
    from tqdm import tqdm

    from benchmarks.small.runs import do

    total = sum(run.settings.steps for run in runs)
    with tqdm(total=total, unit="step", disable=None if runs else True) as bar:

        def progress(step: int, success: float) -> None:
            bar.set_postfix_str(f"success {success:.0%}", refresh=False)
            bar.update(1)

        for run in runs:
            bar.set_description(run.title)
            settings = run.settings
            learner = make_policy(settings.policy, settings.policy_kwargs, world, run.learning_rate, run.seed)
            yield do(run, world, learner, progress)
