"""One training run: settings, the loop, and the learning curve that it leaves."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from agents.small.collection import play
from agents.small.learner import Learner, update
from agents.small.worlds import World
from turnenv.credit import Estimator


@dataclass(frozen=True, slots=True)
class Settings:
    """All that decides a run.

    Attributes:
        policy: the kind of policy, with its own options.
        env: the environment's id.
        env_kwargs: its keyword arguments, as JSON.
        tasks: how many tasks are played.
        method: the estimator with its options, as the command line writes it.
        credit_kwargs: options that every method of the comparison got, as JSON.
        learning_rate: of the policy.
        seed: draws tasks, noise, actions and the first weights; equal seeds make runs of two methods a pair.
        groups: groups an iteration.
        group_size: episodes a group.
        iterations: updates.
        evaluate_every: iterations between two points of the curve.
    """

    policy: str
    env: str
    env_kwargs: str
    tasks: int
    method: str
    credit_kwargs: str
    learning_rate: float
    seed: int
    groups: int
    group_size: int
    iterations: int
    evaluate_every: int

    @property
    def run_id(self) -> str:
        """A name that equal settings share."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Row:
    """A finished run.

    Attributes:
        settings: what was run.
        episodes: episodes played before each point of the curve, from 0.
        turns: turns of the environment played before each point.
        success: exact chance of success of the policy at each point (no evaluation episodes, no noise).
    """

    settings: Settings
    episodes: tuple[int, ...]
    turns: tuple[int, ...]
    success: tuple[float, ...]

    def episodes_to(self, threshold: float) -> int | None:
        """Episodes before the first point whose success reaches the threshold; None if none does."""
        for episodes, success in zip(self.episodes, self.success, strict=True):
            if success >= threshold:
                return episodes
        return None

    @property
    def mean_success(self) -> float:
        """The curve's mean, that is the area under it: fast and high."""
        return float(np.mean(self.success))

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Row:
        """Read a line that `to_json` wrote."""
        fields: Mapping[str, Any] = json.loads(line)
        curves = (tuple(fields[name]) for name in ("episodes", "turns", "success"))
        return cls(Settings(**fields["settings"]), *curves)


def train(
    settings: Settings,
    world: World,
    learner: Learner,
    estimator: Estimator,
    progress: Callable[[int, float], None] = lambda iteration, success: None,
) -> Row:
    """Play, score, update, `iterations` times.

    Iteration i of a seed draws the same tasks, noise and uniform numbers for its actions whatever the method.

    Args:
        settings: of the run.
        world: what is played.
        learner: the policy, changed in place.
        estimator: scores the turns; a copy does, so that what it remembers of a run stays there.
        progress: told the iterations done and the latest success.
    """
    estimator = copy.deepcopy(estimator)
    batch = world.make_batch(settings.groups * settings.group_size)
    success = world.success(learner.table())
    points, episodes, turns = [(0, 0, success)], 0, 0
    for iteration in range(1, settings.iterations + 1):
        rng = np.random.default_rng((settings.seed, iteration))
        tasks, seeds = rng.choice(world.tasks, settings.groups), rng.integers(1 << 31, size=settings.groups)
        groups = list(zip(tasks.tolist(), seeds.tolist(), strict=True))
        played = play(world, batch, learner.table(), groups, rng)
        update(learner, played, estimator(played.batch))
        episodes, turns = episodes + batch.num_envs, turns + int(played.batch.turn_mask.sum())
        if iteration % settings.evaluate_every == 0 or iteration == settings.iterations:
            success = world.success(learner.table())
            points.append((episodes, turns, success))
        progress(iteration, success)
    batch.close()
    return Row(settings, *(tuple(column) for column in zip(*points, strict=True)))
