"""What an agent can know: an environment with hidden state as a process over beliefs, for `tabular_model`."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnenv.core import Reply
from turnenv.exact.branching import branches
from turnenv.exact.model import Enumerable

_Member = tuple[float, Any]
"""Probability and hidden state; a state in a belief never changes."""


@dataclass(slots=True)
class Belief:
    """The hidden states that agree with all the agent read, with probabilities that sum to 1, and the belief's key."""

    members: tuple[_Member, ...]
    key: tuple[tuple[object, float], ...]

    def __deepcopy__(self, memo: dict[int, Any]) -> Belief:
        return Belief(self.members, self.key)


class Beliefs:
    """The belief process of an environment; it is `Enumerable`, so that `tabular_model(Beliefs(env, tasks))` works.

    A state is the distribution of the environment's state given all that the agent wrote and read. An agent can follow
    any policy over these states, and Q* is the value of the best agent. (The Q* of the environment itself is that of a
    player who sees what is hidden.) Rewards are expectations given what the agent reads, because it does not see them.

    Args:
        env: the environment, unwrapped, as `tabular_model` takes it.
        tasks: the tasks that an episode may play, equally likely; the agent does not know which.

    Raises:
        ValueError: if there is no task.
    """

    def __init__(self, env: Enumerable, tasks: Iterable[int]) -> None:
        self._env, self.max_turns, self.tasks = env, env.max_turns, tuple(tasks)
        if not self.tasks:
            raise ValueError("a belief needs at least one task")
        self._results: dict[tuple[object, str], list[tuple[float, Reply, Belief]]] = {}

    @property
    def action_texts(self) -> Sequence[str]:
        """The environment's actions."""
        return self._env.action_texts

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Belief, str]:
        """The belief before the first action, and the first observation; `options` is not read.

        Raises:
            ValueError: if the first observations of the tasks differ.
            TypeError: if the environment draws in a way that cannot be enumerated.
        """
        members: list[_Member] = []
        texts = set()
        for task in self.tasks:
            for probability, (state, text) in branches(lambda rng, task=task: self._env.start(rng, {"task": task})):  # type: ignore[misc]
                members.append((probability / len(self.tasks), state))
                texts.add(text)
        if len(texts) > 1:
            raise ValueError("the first observations differ: make the beliefs of tasks that look the same to the agent")
        return self._merge(members), texts.pop()

    def respond(self, state: Belief, action: str, rng: np.random.Generator) -> Reply:
        """Draw what the agent reads next, and update the belief in place."""
        key = state.key, action
        if key not in self._results:
            self._results[key] = self._enumerate(state, action)
        results = self._results[key]
        _, reply, after = results[rng.choice(len(results), p=[probability for probability, _, _ in results])]
        state.members, state.key = after.members, after.key
        return reply

    def state_key(self, state: Belief) -> object:
        """The hidden states' keys with their probabilities, to 12 digits."""
        return state.key

    def observation_key(self, state: Belief) -> object:
        """The belief itself: it is what the agent can know."""
        return state.key

    def silence(self, state: Belief) -> Mapping[str, float]:
        """The expectation of the environment's `silence` over the belief."""
        return _mean([(probability, self._env.silence(member)) for probability, member in state.members])

    def _enumerate(self, belief: Belief, action: str) -> list[tuple[float, Reply, Belief]]:
        """For each text that the agent may read next: its probability, the expected reply, and the belief after it."""
        seen: dict[tuple[str, bool, bool], list[tuple[float, Reply, Any]]] = {}
        for weight, member in belief.members:

            def take(rng: np.random.Generator, member: Any = member) -> tuple[Any, Reply]:
                after = copy.deepcopy(member)
                return after, self._env.respond(after, action, rng)

            for probability, (after, reply) in branches(take):
                ended = reply.outcome is not None
                success = reply.outcome is not None and reply.outcome.success
                seen.setdefault((reply.text, ended, success), []).append((weight * probability, reply, after))
        results = []
        for cases in seen.values():
            total = sum(weight for weight, _, _ in cases)
            after_belief = self._merge([(weight / total, after) for weight, _, after in cases])
            results.append((total, _expected([(weight / total, reply) for weight, reply, _ in cases]), after_belief))
        return results

    def _merge(self, members: Iterable[_Member]) -> Belief:
        merged: dict[object, _Member] = {}
        for probability, state in members:
            key = self._env.state_key(state)
            before = merged.get(key, (0.0, state))[0]
            merged[key] = before + probability, state
        ordered = sorted(merged.items(), key=lambda item: repr(item[0]))
        key = tuple((member, round(probability, 12)) for member, (probability, _) in ordered)
        return Belief(tuple(member for _, member in ordered), key)


def _expected(cases: Sequence[tuple[float, Reply]]) -> Reply:
    """One reply for cases with the same text, with the means of their rewards."""
    first = cases[0][1]
    rewards = _mean([(weight, reply.rewards) for weight, reply in cases])
    if first.outcome is None:
        return Reply.turn(first.text, rewards, valid=first.valid)
    outcome = _mean([(weight, reply.outcome.components) for weight, reply in cases if reply.outcome is not None])
    success, end = first.outcome.success, first.outcome.end
    return Reply.final(first.text, rewards, outcome=outcome, success=success, end=end, valid=first.valid)


def _mean(cases: Sequence[tuple[float, Mapping[str, float]]]) -> dict[str, float]:
    means: dict[str, float] = {}
    for weight, components in cases:
        for name, value in components.items():
            means[name] = means.get(name, 0.0) + weight * value
    return means
