"""One run in a process of its own: train by a method from a seed, evaluate, write the row; or evaluate the start."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.compare.evaluation import HeldOut, summarise, write_transcripts
from benchmarks.compare.records import Evaluation, Row, RowFile, Run, Settings, Spent
from benchmarks.harness.progress import Status
from benchmarks.harness.scheduler import exit_with_parent, status_path
from turnenv.adapters import load_env
from turnenv.adapters.any_env import make_any
from turnenv.evaluation.provenance import provenance
from turnenv.policies.model_hash import hash_model

if TYPE_CHECKING:
    from turnenv.types import Episode


def main(arguments: Sequence[str] | None = None) -> None:
    """Do the run that the arguments describe, and append its row as the last act."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare.one_run", description=__doc__)
    parser.add_argument("--run", required=True, help="the run as JSON, as the first line of its log has it")
    parser.add_argument("--out", required=True, type=Path, help="folder of the comparison")
    parser.add_argument("--keep-episodes", type=int, default=64, help="how many evaluation episodes to write out")
    parser.add_argument("--end-with-stdin", action="store_true", help="exit when standard input ends")
    given = parser.parse_args(arguments)
    if given.end_with_stdin:
        exit_with_parent()
    print("repeat with: python -m benchmarks.compare.one_run --out", given.out, "--run", repr(given.run), flush=True)
    run = Run.model_validate_json(given.run)
    _check_model(run.settings)
    began, clock = datetime.now(UTC), time.monotonic()
    status = _Reporter(status_path(given.out, run.run_id), run)
    status.tell(0, "loading")
    act = _evaluate_start if run.method is None else _train
    row, episodes = act(run, given.out, status, began)
    write_transcripts(transcripts_path(given.out, run.run_id), episodes[: given.keep_episodes])
    spent = row.spent.model_copy(update={"seconds": time.monotonic() - clock})
    RowFile(given.out).append(row.model_copy(update={"spent": spent}))
    status.tell(run.settings.steps, _headline(row.evaluation))


def _check_model(settings: Settings) -> None:
    """Refuse another folder of the model's name, as another machine of a cluster may have it.

    Raises:
        ValueError: if the folder is not there, or holds something else.
    """
    if settings.model_hash.startswith("sha256:"):
        folder = Path(settings.model).resolve()
        if not folder.is_dir() or hash_model(settings.model) != settings.model_hash:
            raise ValueError(
                f"{folder} on {platform.node()} is not the model that the comparison began with: every machine needs "
                "the same --model folder at the same path, unchanged until the last run"
            )


def transcripts_path(folder: Path, run_id: str) -> Path:
    """Where a run's evaluation episodes are kept."""
    return folder / "episodes" / f"{run_id}.jsonl"


def groups_path(folder: Path, run_id: str) -> Path:
    """Where a few whole groups of a run's training are kept."""
    return folder / "groups" / f"{run_id}.jsonl"


class _Reporter:
    """Reports to the harness how far the run is."""

    def __init__(self, path: Path, run: Run) -> None:
        self._path, self._total = path, run.settings.steps
        path.parent.mkdir(parents=True, exist_ok=True)

    def tell(self, done: int, note: str) -> None:
        Status(done, self._total, note).write(self._path)


def _evaluate_start(run: Run, folder: Path, status: _Reporter, began: datetime) -> tuple[Row, list[Episode]]:
    """The untrained policy on the episodes of this seed; every method of the seed shares this row."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

    settings, env = run.settings, load_env(run.settings.env)
    # In the type that the trainer loads it in, so that the start is the policy that training starts from.
    loading = {"dtype": "float32", **(settings.trainer_kwargs.get("model_init_kwargs") or {})}
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(settings.model, **loading)
    model.to(torch.device(settings.device))  # type: ignore[arg-type]
    held_out = HeldOut(settings, env, run.seed, AutoTokenizer.from_pretrained(settings.model))
    status.tell(0, "evaluating the start")
    episodes = held_out.play(model)
    row = Row(
        run_id=run.run_id,
        run=run,
        env_spec=_env_spec(settings),
        evaluation=summarise(episodes),
        spent=Spent(eval_seconds=held_out.seconds),
        provenance=provenance(settings.device, began),
    )
    return row, episodes


def _train(run: Run, folder: Path, status: _Reporter, began: datetime) -> tuple[Row, list[Episode]]:
    from benchmarks.compare.training_run import train

    scratch = folder / "scratch" / run.run_id
    shutil.rmtree(scratch, ignore_errors=True)
    groups = groups_path(folder, run.run_id)
    groups.unlink(missing_ok=True)
    result = train(run, load_env(run.settings.env), scratch, groups, status.tell)
    row = Row(
        run_id=run.run_id,
        run=run,
        env_spec=_env_spec(run.settings),
        evaluation=summarise(result.episodes),
        checkpoints=result.checkpoints,
        curve=result.curve,
        spent=result.spent,
        trainer_arguments=result.trainer_arguments,
        provenance=provenance(run.settings.device, began),
    )
    shutil.rmtree(scratch, ignore_errors=True)
    return row, result.episodes


def _env_spec(settings: Settings) -> str:
    """Gymnasium's description of the environment as JSON; of one that has none, what it was made by."""
    spec = make_any(settings.env, **settings.env_kwargs).spec
    return json.dumps({"made_by": settings.env, "kwargs": settings.env_kwargs}) if spec is None else spec.to_json()


def _headline(evaluation: Evaluation) -> str:
    means = evaluation.means
    return f"success {means.get('success', 0.0):.1%}, return {means.get('return', 0.0):.3f} on held-out tasks"


if __name__ == "__main__":
    main()
