"""Train by several methods from several seeds, each run in a process of its own, and report with intervals."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from agents.options import json_object
from benchmarks.compare.one_run import import_environments
from benchmarks.compare.records import RowFile, Run, Settings, differences
from benchmarks.compare.report import write_report
from benchmarks.compare.suites import suite_of
from benchmarks.harness.methods import Method, parse_methods
from benchmarks.harness.options import parse_seeds
from benchmarks.harness.progress import make_display
from benchmarks.harness.provenance import cores, hash_model
from benchmarks.harness.scheduler import Failure, Job, run_jobs

EXAMPLES = """\
examples:
  # the main comparison: trajectory-level GRPO twice and MT-GRPO, three seeds, on this machine
  python -m benchmarks compare --out results/compare

  # another environment, other variants of a method (name:option=value), seeds by name
  python -m benchmarks compare --env turnenv/GuessNumber-v0 --seeds 0,1,7 \\
      --methods grpo_mr,mt_grpo,mt_grpo:final_turn=turn+outcome --out results/guess

  # longer episodes, a larger model on a GPU in bfloat16, eight rows a backward pass
  python -m benchmarks compare --model Qwen/Qwen2.5-0.5B-Instruct --device cuda --learning-rate 1e-6 \\
      --env-kwargs '{"max_turns": 4, "max_searches": 3}' --max-turn-tokens 256 \\
      --trainer-kwargs '{"bf16": true, "per_device_train_batch_size": 8}' --out results/qwen

what is written to --out:
  rows.jsonl   one line a finished run: settings, provenance, curve, evaluation
  table.md     means with 95 % intervals over seeds, paired differences, budget (also printed)
  curves.png   one panel a metric, one band a method
  episodes/    held-out episodes of every run; `python -m benchmarks transcripts DIR` shows them
  logs/        what each run printed

A comparison that was stopped, even by kill -9, goes on when the same command is given again: finished runs are kept,
unfinished ones begin again. More methods or seeds may be added to the same folder; other settings need another.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--env", default="turnenv/TriviaSearch-v0", help="environment id; module:id imports the module first")
    add("--methods", default="grpo_or,grpo_mr,mt_grpo", help="estimators of turnenv.credit, name[:option=value…],…")
    add("--seeds", default="3", help="how many (3 means 0,1,2), or which (0,1,7; one alone is written 5,)")
    add("--model", default="agents/nano", help="the policy to start from: a folder or a name on the hub")
    add("--out", type=Path, default=Path("results/compare"), help="folder of the results")
    add("--steps", type=int, default=120, help="optimizer steps")
    add("--groups", type=int, default=4, help="tasks a step")
    add("--num-generations", type=int, default=8, help="episodes a task: the size of a group")
    add("--learning-rate", type=float, default=1e-3, help="AdamW's, falling linearly to 0; an LLM wants 1e-6")
    add("--temperature", type=float, default=1.0, help="of sampling, in training and evaluation")
    add("--max-turn-tokens", type=int, default=48, help="tokens the policy may write in one turn")
    add("--eval-episodes", type=int, default=256, help="held-out episodes before and after training, for each seed")
    add("--eval-batch", type=int, default=128, help="how many of them are played at a time")
    add("--eval-every", type=int, default=0, help="evaluate every so many steps too; 0 for never")
    add("--env-kwargs", type=json_object, default={}, metavar="JSON", help="arguments of the environment")
    add(
        "--eval-kwargs",
        type=json_object,
        default={},
        metavar="JSON",
        help="arguments on the held-out tasks, over --env-kwargs and the suite's (TriviaSearch: split=test)",
    )
    add("--trainer-kwargs", type=json_object, default={}, metavar="JSON", help="more fields of TurnGRPOConfig")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto takes a GPU if there is one")
    add("--jobs", type=int, default=None, help="processes at once (default: one a core, or one a GPU)")


def plan(settings: Settings, methods: Sequence[Method], seeds: Sequence[int]) -> list[Run]:
    """Every run, in the order that makes a stopped comparison most useful: seed by seed, all methods of each."""
    starts = [Run(settings=settings, method=None, seed=seed) for seed in seeds]
    return starts + [Run(settings=settings, method=method, seed=seed) for seed in seeds for method in methods]


def run(given: argparse.Namespace) -> int:
    """Do what is missing, report, and return 1 if a run failed."""
    methods, seeds = parse_methods(given.methods), parse_seeds(given.seeds)
    settings = _settings(given)
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(given.out / ".compare.lock", timeout=0):
            failures = _run_missing(plan(settings, methods, seeds), given.out, given.jobs)
            if RowFile(given.out).read():
                print(write_report(given.out))
                print(f"in {given.out}: table.md, curves.png, rows.jsonl, episodes/, logs/", file=sys.stderr)
    except Timeout as error:
        raise ValueError(f"another comparison is running in {given.out}: wait for it, or give another --out") from error
    for failure in failures:
        print(f"failed: {failure.job.title} (exit code {failure.exit_code}), log: {failure.log}", file=sys.stderr)
    return 1 if failures else 0


def _settings(given: argparse.Namespace) -> Settings:
    env_id = _checked_env(given.env)
    _check_trainer_kwargs(given.trainer_kwargs, given.groups * given.num_generations)
    return Settings(
        env=given.env,
        env_kwargs=given.env_kwargs,
        eval_kwargs={**given.env_kwargs, **suite_of(env_id).eval_kwargs, **given.eval_kwargs},
        model=given.model,
        model_hash=hash_model(given.model),
        steps=given.steps,
        groups=given.groups,
        num_generations=given.num_generations,
        learning_rate=given.learning_rate,
        temperature=given.temperature,
        max_turn_tokens=given.max_turn_tokens,
        eval_episodes=given.eval_episodes,
        eval_batch=given.eval_batch,
        eval_every=given.eval_every,
        trainer_kwargs=given.trainer_kwargs,
        device=_device(given.device),
    )


def _run_missing(runs: Sequence[Run], folder: Path, jobs: int | None) -> list[Failure]:
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
    slots = _slots(runs[0].settings.device, jobs, len(missing))
    if not missing:
        return []
    failures = run_jobs(
        [_job(run, folder) for run in missing],
        folder,
        slots=slots,
        display=make_display(sys.stderr, len(missing), len(slots)),
    )
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    return failures


def _job(run: Run, folder: Path) -> Job:
    command = (sys.executable, "-m", "benchmarks.compare.one_run", "--out", str(folder), "--run", run.model_dump_json())
    return Job(run.run_id, run.title, (*command, "--end-with-stdin"))


def _slots(device: str, jobs: int | None, runs: int) -> list[Mapping[str, str]]:
    """The environment of each process: one thread, since they share the cores, and one GPU if there are any."""
    if jobs is not None and jobs < 1:
        raise ValueError(f"--jobs must be at least 1; got {jobs}")
    gpus = 0
    if device == "cuda":
        import torch

        gpus = torch.cuda.device_count()
    count = min(jobs or gpus or cores(), max(runs, 1))
    threads = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return [{**threads, **({"CUDA_VISIBLE_DEVICES": str(slot % gpus)} if gpus else {})} for slot in range(count)]


def _checked_env(env: str) -> str:
    import gymnasium

    try:
        env_id = import_environments(env)
    except ModuleNotFoundError as error:
        raise ValueError(f"--env {env}: {error}") from error
    if env_id not in gymnasium.registry:
        ours = [known for known in gymnasium.registry if known.startswith("turnenv/")]
        close = get_close_matches(env_id, gymnasium.registry, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ValueError(f"no environment is named {env_id!r}; {hint}turnenv has: {', '.join(ours)}")
    return env_id


_FIXED = {
    "credit": "--methods",
    "credit_kwargs": "--methods name:option=value",
    "gradient_accumulation_steps": "per_device_train_batch_size, from which it follows",
    "learning_rate": "--learning-rate",
    "max_steps": "--steps",
    "max_turn_tokens": "--max-turn-tokens",
    "max_turns": "--env-kwargs '{\"max_turns\": …}'",
    "num_generations": "--num-generations",
    "output_dir": "--out",
    "seed": "--seeds",
    "temperature": "--temperature",
}


def _check_trainer_kwargs(fields: Mapping[str, Any], episodes: int) -> None:
    for name in fields:
        if name in _FIXED:
            raise ValueError(f"--trainer-kwargs: {name} is set by {_FIXED[name]}")
    micro = fields.get("per_device_train_batch_size", episodes)
    if not isinstance(micro, int) or micro < 1 or episodes % micro:
        raise ValueError(
            f"--trainer-kwargs: per_device_train_batch_size={micro} must divide groups × num_generations = {episodes}"
        )


def _device(wanted: str) -> str:
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise ValueError("--device cuda: PyTorch sees no GPU; use --device cpu, or install PyTorch with CUDA")
    return "cpu"
