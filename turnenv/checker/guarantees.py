"""Finds by trial what holds for an environment that was not written for turnenv; a "no" raises nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from turnenv.adapters import AnyEnv, env_maker
from turnenv.checker import copies
from turnenv.checker.episodes import check_branching
from turnenv.checker.turns import Agent, ContractError, Recording, record, replay
from turnenv.core.contract import TextEnvironment
from turnenv.credit.table import SPECS

__all__ = ["Guarantee", "find_guarantees", "possible_estimators"]

_CONSERVED = "turn rewards and outcome sum to the reward; none is lost"
_REPEATABLE = "equal seeds and actions, equal episodes"
_BRANCHING = "a snapshot is exact: restored, the same actions get the same answers"
_BRANCHES = 8
"""Turns per episode at which a snapshot is tried, because copying a large environment takes long."""


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A claim that was tried.

    Attributes:
        claim: what would hold.
        holds: whether it did.
        needed_for: what is impossible without it.
        note: why it did not hold, at most 400 characters; "" if it did.
        essential: True if training makes no sense without it.
    """

    claim: str
    holds: bool
    needed_for: str
    note: str = ""
    essential: bool = False


def find_guarantees(
    env: AnyEnv, agent: Agent, nasty: Sequence[str], *, episodes: int = 4, seed: int = 0
) -> tuple[Guarantee, ...]:
    """Play some episodes, and try each guarantee that turnenv's own environments give.

    Args:
        env: whatever `turnenv.adapters.as_text_env` takes.
        agent: plays the episodes.
        nasty: texts that any environment should accept as an action.
        episodes: how many episodes the agent plays, at least 1.
        seed: the first seed.

    Raises:
        TypeError: if it is not a text environment.
        ValueError: if a wrapper loses turn rewards, or `episodes` is below 1.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1; got {episodes}")
    make = env_maker(env)
    single, recordings = make(), list[Recording]()

    def play() -> None:
        recordings.extend(record(single, agent, at) for at in range(seed, seed + episodes))

    def repeat() -> None:
        for recording in recordings:
            replay(single, recording, "played again")

    return (
        _tried(_CONSERVED, "everything", play, essential=True),
        _tried("no episode of the agent ended in a fault", "a run that learns", lambda: _no_fault(recordings)),
        _tried(_REPEATABLE, "groups: every group-relative estimator", repeat, essential=True),
        _tried(
            "copies do not disturb each other",
            "more than one episode at a time",
            lambda: copies.check_twins(single, make(), recordings),
        ),
        _tried(
            _BRANCHING,
            "branches: tree_backup, vine_ppo",
            lambda: check_branching(single, recordings, _BRANCHES),
        ),
        _tried(
            "any text is taken as an action",
            "training a policy that makes mistakes",
            lambda: _take(single, nasty, seed),
        ),
    )


def possible_estimators(found: Sequence[Guarantee]) -> list[str]:
    """Names of the estimators that an environment with these guarantees can be trained with.

    An estimator that reads `values` also needs a critic.
    """
    holds = {each.claim: each.holds for each in found}
    if not (holds[_CONSERVED] and holds[_REPEATABLE]):
        return []
    supplied = {"state_keys", "values"} | ({"parents"} if holds[_BRANCHING] else set())
    return [
        spec.name for spec in SPECS.values() if spec.needs <= supplied and (holds[_BRANCHING] or not spec.monte_carlo)
    ]


def _tried(claim: str, needed_for: str, attempt: Callable[[], object], *, essential: bool = False) -> Guarantee:
    try:
        attempt()
    except (ContractError, TypeError, ValueError) as error:
        return Guarantee(claim, False, needed_for, str(error)[:400], essential)
    return Guarantee(claim, True, needed_for, essential=essential)


def _no_fault(recordings: Sequence[Recording]) -> None:
    for recording in recordings:
        if recording.closing["fault"]:
            raise ContractError(f"seed {recording.seed}: {recording.closing['fault']}")


def _take(env: TextEnvironment, nasty: Sequence[str], seed: int) -> None:
    for text in nasty:
        env.reset(seed=seed)
        info = env.step(text)[4]
        if info.get("fault"):
            raise ContractError(f"the action {text[:40]!r} ended in a fault: {info['fault']}")
