"""Training tabular softmax policies with an estimator, all learning rates and seeds at once, until they solve the task.

Axes: L learning rates, W seeds, R = L·W runs (rate-major), E episodes of a batch, H turns, O observations, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.credit.cells import Problem
from benchmarks.credit.contenders import Contender, Session
from benchmarks.credit.sampling import score_gradient
from benchmarks.credit.truth import success_probability
from turnenv.exact import Floats, softmax


@dataclass(frozen=True, eq=False)
class Learning:
    """What came of L·W runs.

    Attributes:
        rates: (L,).
        seeds: (W,).
        turns: spent until the policy's success probability first reached the threshold, (L, W); inf if it never did.
            Turns of continuations count, those that a branch copies do not.
        episodes: of the batches until then, (L, W); continuations do not count.
        final: exact success probability when the run ended, (L, W).
        area: the success probability's mean over the budget, (L, W); a run that has ended counts with its last one.
    """

    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    turns: Floats
    episodes: Floats
    final: Floats
    area: Floats


class _Runs:
    """The state of all runs, those that have ended included."""

    def __init__(self, logits: Floats, runs: int) -> None:
        self.logits = np.repeat(logits[None], runs, axis=0)
        self.spent, self.played = np.zeros(runs), np.zeros(runs)
        self.turns, self.episodes = np.full(runs, np.inf), np.full(runs, np.inf)
        self.success, self.area = np.zeros(runs), np.zeros(runs)


def learn(problem: Problem, contender: Contender, seeds: tuple[int, ...], rates: tuple[float, ...]) -> Learning:
    """Train by gradient ascent, `θ += rate · mean_e Σ_t Â_et ∇log π`, from the cell's starting policy.

    Run (rate, seed) draws its noise from (seed, iteration) alone, so every method and every rate has the same noise.
    Success is not estimated: it is the exact probability of the policy at each iteration.

    Args:
        problem: a cell whose budget is not 0.
        contender: the estimator.
        seeds: of the runs; equal seeds make runs of two methods a pair.
        rates: learning rates; `Effort.rates` are the same for every method.
    """
    cell, count = problem.cell, len(seeds)
    generators = [np.random.default_rng((seed, 0xC4ED)) for seed in seeds]
    runs, rate_R = _Runs(problem.start_logits, len(rates) * count), np.repeat(rates, count)
    seed_R, session = np.tile(np.arange(count), len(rates)), Session(contender, len(rate_R), seeds[0])
    going_G: NDArray[np.intp] = np.arange(len(rate_R))
    while True:
        policies = softmax(runs.logits[going_G])
        runs.success[going_G] = success_probability(problem.model, policies)
        going_G = _record(runs, going_G, problem)
        if not going_G.size:
            break
        policies = softmax(runs.logits[going_G])
        starts_WE, noise_W = _noise(problem, generators, seed_R[going_G])
        starts, noise = starts_WE[seed_R[going_G]], noise_W[seed_R[going_G]]
        batch = session.play(problem, policies, starts, noise, going_G)
        advantages = session.advantages(problem, policies, batch, going_G)
        steps = score_gradient(problem.model, policies, batch.plays, advantages)
        runs.logits[going_G] += rate_R[going_G, None, None] * steps
        # A huge rate must not overflow the softmax's input; beyond this a policy is deterministic anyway.
        runs.logits[going_G] -= runs.logits[going_G].max(-1, keepdims=True)
        np.clip(runs.logits, -500.0, 0.0, out=runs.logits)
        spent = np.minimum(batch.turns, cell.budget - runs.spent[going_G])
        runs.area[going_G] += runs.success[going_G] * spent / cell.budget
        runs.spent[going_G] += batch.turns
        runs.played[going_G] += cell.episodes
    shape = (len(rates), count)
    return Learning(
        rates,
        seeds,
        runs.turns.reshape(shape),
        runs.episodes.reshape(shape),
        runs.success.reshape(shape),
        (runs.area + runs.success * np.maximum(0.0, 1.0 - runs.spent / cell.budget)).reshape(shape),
    )


def _record(runs: _Runs, going: NDArray[np.intp], problem: Problem) -> NDArray[np.intp]:
    """Record which runs have just reached the threshold; returns the runs that go on."""
    cell = problem.cell
    reached = going[(runs.success[going] >= cell.threshold) & np.isinf(runs.turns[going])]
    runs.turns[reached], runs.episodes[reached] = runs.spent[reached], runs.played[reached]
    over = runs.spent[going] >= cell.budget
    if not cell.keep_going:
        over |= np.isfinite(runs.turns[going])
    return going[~over]


def _noise(
    problem: Problem, generators: list[np.random.Generator], needed: NDArray[np.intp]
) -> tuple[NDArray[np.int64], Floats]:
    """First states (W, E) and uniform numbers (W, E, H, 2) of each seed; left at 0 for seeds that are over."""
    cell, shape = problem.cell, (problem.cell.episodes, problem.model.horizon, 2)
    starts_WE = np.zeros((len(generators), cell.episodes), dtype=np.int64)
    noise_W = np.zeros((len(generators), *shape))
    for seed in np.unique(needed):
        starts_WE[seed] = np.repeat(problem.starts(cell.groups, generators[seed]), cell.group_size)
        noise_W[seed] = generators[seed].random(shape)
    return starts_WE, noise_W
