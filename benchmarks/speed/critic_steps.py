"""Training steps of one method, timed in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

METHODS: dict[str, dict[str, Any]] = {
    "GRPO": {"credit": "mt_grpo"},
    "PPO, probe": {"credit": "turn_gae", "critic": "probe"},
    "PPO, model": {"credit": "turn_gae", "critic": "model", "critic_kwargs": {"learning_rate": 1e-5}},
}


def measure(model: str, env: str, *, rows: int, steps: int, repeats: int) -> list[dict[str, Any]]:
    """A row per method: seconds of CPU per step, peak memory, and both divided by GRPO's; medians over repeats.

    The learning rate is 0, so that all methods play the same episodes.
    """
    times: dict[str, list[list[float]]] = {name: [] for name in METHODS}
    memory: dict[str, list[float]] = {name: [] for name in METHODS}
    spawn = multiprocessing.get_context("spawn")
    for _ in range(repeats):
        for name in METHODS:
            with ProcessPoolExecutor(1, mp_context=spawn) as alone:
                seconds, peak = alone.submit(take_steps, name, model, env, rows, steps).result()
            times[name].append(seconds[1:])
            memory[name].append(peak)
    first = next(iter(METHODS))
    return [
        {
            "method": name,
            "s per step": statistics.median(second for run in times[name] for second in run),
            "peak memory, MB": statistics.median(memory[name]),
            "time ratio": statistics.median(
                ours / plain
                for run, base in zip(times[name], times[first], strict=True)
                for ours, plain in zip(run, base, strict=True)
            ),
            "memory ratio": statistics.median(memory[name]) / statistics.median(memory[first]),
        }
        for name in METHODS
    ]


def take_steps(name: str, model: str, env: str, rows: int, steps: int) -> tuple[list[float], float]:
    """Seconds of CPU of each step, and the process's peak memory (MB)."""
    import torch
    from transformers import TrainerCallback

    from benchmarks.speed.quiet_training import quiet_config, train_quietly
    from turnenv.training import TurnGRPOTrainer

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.marks: list[float] = []

        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            self.marks.append(time.process_time())

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            self.marks.append(time.process_time())

    torch.set_num_threads(1)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        args = quiet_config(
            folder,
            rows=rows,
            steps=steps,
            max_turn_tokens=48,
            learning_rate=0.0,
            logging_strategy="no",
            **METHODS[name],
        )
        train_quietly(TurnGRPOTrainer(model, env, args, callbacks=[clock]))
    seconds = [after - before for before, after in zip(clock.marks, clock.marks[1:], strict=False)]
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
