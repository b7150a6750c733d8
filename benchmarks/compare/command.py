"""Train by several methods from several seeds, each run in a process of its own, and report with intervals."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.compare.checks import (
    check_environment,
    check_environment_arguments,
    check_trained_methods,
    check_trainer_kwargs,
)
from benchmarks.compare.rates import (
    adopt_rates,
    chosen_rates,
    plan_rates,
    rates_folder,
    read_rate_seeds,
    read_rates,
    validation_settings,
)
from benchmarks.compare.records import Row, RowFile, Run, Settings, differences
from benchmarks.compare.report import write_report
from benchmarks.compare.suites import suite_of
from benchmarks.harness.methods import Method, own_code, parse_methods
from benchmarks.harness.options import add_methods, add_ray, add_seeds, parse_seeds
from benchmarks.harness.places import Place
from benchmarks.harness.scheduler import Failure, Job
from benchmarks.harness.settings import add_settings, read_settings
from turnenv.policies.model_hash import hash_model

_VARIABLES = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
"""One thread per run, since runs share the cores."""
EXAMPLES = """\
examples:
  # the main comparison: trajectory-level GRPO twice and MT-GRPO, three seeds, on this machine
  python -m benchmarks compare --out results/compare

  # another environment, other variants of a method (name:option=value), seeds by name
  python -m benchmarks compare --env turnenv/GuessNumber-v0 --seeds 0,1,7 \\
      --methods grpo_mr,mt_grpo,mt_grpo:final_turn=turn+outcome --out results/guess

  # your own estimator, a function of a TurnBatch in my_credit.py here (or module:function)
  python -m benchmarks compare --methods grpo_mr,my_credit.py:my_function:lam=0.5 --out results/mine

  # longer episodes, a larger model on a GPU in bfloat16, eight rows per backward pass
  python -m benchmarks compare --model Qwen/Qwen2.5-0.5B-Instruct --device cuda --learning-rate 1e-6 \\
      --env-kwargs '{"max_turns": 4, "max_searches": 3}' --max-turn-tokens 256 \\
      --trainer-kwargs '{"bf16": true, "per_device_train_batch_size": 8}' --out results/qwen

  # the same on a Ray cluster, or stopped here and continued there
  python -m benchmarks compare --out results/compare --ray auto

what is written to --out:
  report.html  all of it on one page, with the episodes turn by turn: open it in a browser
  rows.jsonl   one line per finished run: settings, provenance, curve, evaluation
  table.md     means with 95 % intervals over seeds, paired differences, budget (also printed)
  curves.png   one panel per metric, one band per method
  episodes/    held-out episodes of every run; `python -m benchmarks transcripts DIR` shows them
  groups/      whole groups of training at five moments, with the advantages that were used
  logs/        what each run printed

A comparison that was stopped, even by kill -9, goes on when the same command is given again: finished runs are kept,
unfinished ones begin again. More methods or seeds may be added to the same folder; other settings need another.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add_methods(parser, "reports show baselines first")
    add_seeds(parser, "3")
    add("--out", type=Path, default=Path("results/compare"), help="folder of the results")
    add(
        "--rates",
        default="",
        help="learning rates, such as 5e-4,1e-3,2e-3: each method gets the one with the most success on validation "
        "tasks, from --rate-seeds (default: --learning-rate for all)",
    )
    add("--rate-seeds", default="1000,", help="the seeds that rates are chosen by, none of --seeds")
    add(
        "--rates-from",
        type=Path,
        metavar="DIR",
        help="each method gets the learning rate that the comparison in DIR chose for it; nothing is tried again",
    )
    add("--jobs", type=int, default=None, help="processes at once (default: one per core, or one per GPU)")
    add_ray(parser)
    add_settings(parser, Settings)


def plan(
    settings: Settings, methods: Sequence[Method], seeds: Sequence[int], rates: Mapping[str, float] | None = None
) -> list[Run]:
    """Every run, in the order that makes a stopped comparison most useful: seed by seed, all methods of each.

    Args:
        settings: what they share.
        methods: to train by.
        seeds: of the runs.
        rates: method label → its own learning rate; by default all have that of the settings.
    """
    rates = rates or {}
    starts = [Run(settings=settings, method=None, seed=seed) for seed in seeds]
    codes = {method.label: own_code(method) for method in methods}
    return starts + [
        Run(
            settings=settings, method=method, seed=seed, code=codes[method.label], learning_rate=rates.get(method.label)
        )
        for seed in seeds
        for method in methods
    ]


def run(given: argparse.Namespace) -> int:
    """Do what is missing, report, and return 1 if a run failed."""
    methods, seeds = parse_methods(given.methods), parse_seeds(given.seeds)
    check_trained_methods(methods, given.trainer_kwargs)
    rates, rate_seeds = read_rates(given.rates), read_rate_seeds(given.rate_seeds, seeds)
    if rates and given.rates_from:
        raise ValueError("--rates tries learning rates and --rates-from takes those of another comparison: give one")
    place = Place(given.jobs, given.ray)
    settings = checked_settings(given, place)
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(given.out / ".compare.lock", timeout=0):
            tuning = plan_rates(_validation(settings), methods, rates, rate_seeds)
            failures, chosen = _choose_rates(tuning, given.out, place)
            if given.rates_from:
                chosen = adopt_rates(given.out, given.rates_from, methods)
            if not failures:
                runs = plan(settings, methods, seeds, chosen)
                _refuse_other_rates(RowFile(given.out).read(), runs)
                failures = _run_missing(runs, given.out, place)
            if RowFile(given.out).read():
                print(write_report(given.out))
                print(
                    f"in {given.out}: report.html, table.md, curves.png, rows.jsonl, episodes/, groups/, logs/",
                    file=sys.stderr,
                )
    except Timeout as error:
        raise ValueError(f"another comparison is running in {given.out}: wait for it, or give another --out") from error
    for failure in failures:
        print(f"failed: {failure.job.title} (exit code {failure.exit_code}), log: {failure.log}", file=sys.stderr)
    return 1 if failures else 0


def checked_settings(given: argparse.Namespace, place: Place) -> Settings:
    """The settings that a command line gives, checked as far as is possible without a model.

    Raises:
        ValueError: if one cannot work; the message names the option.
    """
    asked = read_settings(Settings, given)
    env = check_environment(asked.env)
    check_environment_arguments(env, asked.env_kwargs, "--env-kwargs")
    eval_kwargs = {**asked.env_kwargs, **suite_of(env).eval_kwargs, **asked.eval_kwargs}
    check_environment_arguments(env, eval_kwargs, "--eval-kwargs")
    check_trainer_kwargs(asked.trainer_kwargs, asked.groups * asked.num_generations)
    found = {"eval_kwargs": eval_kwargs, "model_hash": hash_model(asked.model), "device": place.device(asked.device)}
    return asked.model_copy(update=found)


def _validation(settings: Settings) -> Settings:
    return validation_settings(settings, suite_of(check_environment(settings.env)))


def _choose_rates(runs: Sequence[Run], folder: Path, place: Place) -> tuple[list[Failure], dict[str, float]]:
    """Do the runs that rates are chosen by; return the failures, and the rate of each method."""
    if not runs:
        return [], {}
    failures = _run_missing(runs, rates_folder(folder), place)
    wanted = {run.run_id for run in runs}
    return failures, chosen_rates(row for row in RowFile(rates_folder(folder)).read() if row.run_id in wanted)


def _refuse_other_rates(finished: Sequence[Row], runs: Sequence[Run]) -> None:
    """A method has one learning rate in a folder, except where rates are chosen."""
    tried = {(run.method.label, run.rate) for run in runs if run.method is not None}
    for row in finished:
        method = row.run.method
        if method is not None and (method.label, row.run.rate) not in tried and method.label in dict(tried):
            raise ValueError(
                f"{row.run.title} is finished at the learning rate {row.run.rate:g}, and would now have "
                f"{dict(tried)[method.label]:g}: give another --out, or the --rates and --rate-seeds of before"
            )


def _run_missing(runs: Sequence[Run], folder: Path, place: Place) -> list[Failure]:
    finished = RowFile(folder).read()
    if finished and (lines := differences(finished[0].run.settings, runs[0].settings)):
        listed = "\n  ".join(lines)
        raise ValueError(
            f"{folder} holds runs with other settings, which cannot share a table:\n  {listed}\n"
            "give another --out, or the settings that the folder began with"
        )
    done = {row.run_id for row in finished}
    missing = [run for run in runs if run.run_id not in done]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} finished already; results in {folder}", file=sys.stderr)
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    if not missing:
        return []
    jobs = [_job(run) for run in missing]
    failures = place.run(jobs, folder, RowFile(folder), device=runs[0].settings.device, variables=_VARIABLES)
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    return failures


def _job(run: Run) -> Job:
    arguments = ("-m", "benchmarks.compare.one_run", "--run", run.model_dump_json(), "--end-with-stdin")
    return Job(run.run_id, run.title, arguments)
