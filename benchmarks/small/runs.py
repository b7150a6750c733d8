"""One training run: play, score, update, and the learning curve that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from agents.small.collection import play
from agents.small.learner import Learner, update
from agents.small.worlds import World
from benchmarks.small.records import Row, Run
from turnenv.evaluation.provenance import provenance

Curve = tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]
"""Episodes played, turns played and the exact chance of success, one value per point each."""


def do(
    run: Run, world: World, learner: Learner, progress: Callable[[int, float], None] = lambda step, success: None
) -> Row:
    """Train, and make the row.

    Args:
        run: what to do.
        world: what is played.
        learner: a fresh policy, changed in place.
        progress: called after each step with the steps done and the latest success.
    """
    began = datetime.now(UTC)
    episodes, turns, success = train(run, world, learner, progress)
    return Row(
        run_id=run.run_id,
        run=run,
        episodes=episodes,
        turns=turns,
        success=success,
        provenance=provenance("cpu", began),
    )


def train(
    run: Run, world: World, learner: Learner, progress: Callable[[int, float], None] = lambda step, success: None
) -> Curve:
    """Play, score, update, `steps` times; arguments as `do`.

    Step i of a seed draws the same tasks, noise and uniform numbers for its actions whatever the method. The estimator
    is made anew, so that what it remembers of a run stays there.
    """
    settings, estimator = run.settings, run.method.estimator()
    batch = world.make_batch(settings.groups * settings.group_size)
    success = world.success(learner.table())
    points, episodes, turns = [(0, 0, success)], 0, 0
    for step in range(1, settings.steps + 1):
        rng = np.random.default_rng((run.seed, step))
        tasks, seeds = rng.choice(world.tasks, settings.groups), rng.integers(1 << 31, size=settings.groups)
        groups = list(zip(tasks.tolist(), seeds.tolist(), strict=True))
        played = play(world, batch, learner.table(), groups, rng)
        update(learner, played, estimator(played.batch))
        episodes, turns = episodes + batch.num_envs, turns + int(played.batch.turn_mask.sum())
        if step % settings.eval_every == 0 or step == settings.steps:
            success = world.success(learner.table())
            points.append((episodes, turns, success))
        progress(step, success)
    batch.close()
    return tuple(p[0] for p in points), tuple(p[1] for p in points), tuple(p[2] for p in points)
