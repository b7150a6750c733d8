"""Another library's environment inside a TextEnv: isolates its global random generators, classifies its failures."""

from __future__ import annotations

import contextlib
import copy
import random
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from turnenv.core import Reply, TextEnv
from turnenv.types import End

__all__ = ["LONGEST", "PeerEnv", "Played", "global_generators"]

#: The most turns of an episode whose peer sets no limit.
LONGEST = 100
_FENCE = threading.RLock()


@contextlib.contextmanager
def global_generators(seed: int) -> Iterator[None]:
    """Seed `random` and `numpy.random` for a block that draws from them, and restore their states afterwards.

    One block runs at a time. A thread outside such a block must not draw from them meanwhile.
    """
    with _FENCE:
        before, numpy_before = random.getstate(), np.random.get_state()
        try:
            random.seed(seed)
            np.random.seed(seed % (1 << 32))
            yield
        finally:
            random.setstate(before)
            np.random.set_state(numpy_before)


@dataclass(slots=True)
class Played:
    """A peer's running environment, and all that decided its state: the task, and each turn's noise and action."""

    peer: Any
    task: int
    turns: tuple[tuple[int, str], ...] = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Played:
        """Copy the peer's environment by `deepcopy`.

        Raises:
            TypeError: if it cannot be copied, so that it has no snapshots.
        """
        try:
            return Played(copy.deepcopy(self.peer, memo), self.task, self.turns)
        except Exception as error:
            raise TypeError(
                f"{type(self.peer).__name__} cannot be copied, so it has no snapshots: {error!r}"
            ) from error


class PeerEnv(TextEnv[Played]):
    """Plays one environment of another library (a peer); each peer's adapter implements `begin` and `play`.

    Each episode makes a fresh environment of the peer. What it draws from `random` or `numpy.random` depends on the
    task at the start, and on the episode's seed and the turn later: the members of a group get the same noise, other
    users of those generators notice nothing, and calls into peers wait for each other. A peer that draws from elsewhere
    (the clock, the order of a set of strings in another process) is not repeatable; `turnenv.check_env` finds that.

    An exception that the peer raises on an action ends the episode as failed, without reward, since the peer's code is
    a function of the action; an OSError (no network, no file) ends it as a fault.

    Attributes:
        component: the name of the peer's reward in the outcome, and in turn rewards if it pays those.
    """

    component: ClassVar[str] = "peer"

    @abstractmethod
    def begin(self, task: int) -> tuple[Any, str]:
        """Make a fresh environment of the peer at the start of this task; return it and its first observation."""

    @abstractmethod
    def play(self, peer: Any, action: str) -> Reply:
        """Pass the agent's text to the peer's environment."""

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Played, str]:
        """Begin the peer's episode; equal tasks begin equally."""
        with global_generators(options["task"]):
            peer, observation = self.begin(options["task"])
        return Played(peer, options["task"]), observation

    def respond(self, state: Played, action: str, rng: np.random.Generator) -> Reply:
        """Let the peer respond."""
        noise = int(rng.integers(1 << 63))
        state.turns += ((noise, action),)
        with global_generators(noise):
            try:
                return self.play(state.peer, action)
            except OSError as error:
                return Reply.fault("The environment is not available.", repr(error))
            except Exception as error:  # noqa: BLE001 (any text is a legal action, and the peer may raise anything)
                text = f"The environment could not take this message: {type(error).__name__}."
                return Reply.final(text, outcome={self.component: 0.0}, success=False, end=End.FAILED, valid=False)

    def state_key(self, state: Played) -> object:
        """The task, and each turn's noise and action: the peer's own state is not comparable."""
        return state.task, state.turns
