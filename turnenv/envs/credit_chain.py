"""CreditChain: signals to answer one after the other, with options for all that makes credit hard to assign."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from turnenv.core import Reply, TextEnv, TextVectorEnv
from turnenv.core.arguments import check_choice, check_range, checked_arguments
from turnenv.types import End

SIGNALS = tuple("amber blue coral denim ebony fawn green hazel indigo jade khaki lilac mauve navy olive pink".split())
"""Signal i asks for action a{i}; these are all of the public rules."""
NO_SIGNAL = "grey"
ERRORS = ("silent", "fatal", "recoverable")
MODES = ("none", "aligned", "potential", "noisy", "hackable", "shuffled")
_SEED = 0xC4A1


class Chain(NamedTuple):
    """One task.

    Attributes:
        right: the right action at each position; -1 if any is right.
        paid: the action that is paid at each position; -1 if none is.
        unit: what a paid action earns.
        potential: Φ before each position and at the end.
        signs: the text that each position shows.
    """

    right: tuple[int, ...]
    paid: tuple[int, ...]
    unit: float
    potential: tuple[float, ...]
    signs: tuple[str, ...]

    def __deepcopy__(self, memo: dict[int, Any]) -> Chain:
        """A chain never changes: snapshots share it."""
        return self


@dataclass(slots=True)
class Walk:
    """Where the agent is on its chain; `tried` is True if it failed at the furthest position before."""

    task: int
    chain: Chain
    turn: int = 0
    position: int = 0
    furthest: int = 0
    tried: bool = False
    intact: bool = True


class CreditChain(TextEnv[Walk]):
    """Answer each signal with its action; the outcome is 1.0 if every signal that matters was answered rightly.

    Turn rewards sum to at most `weight`, and a position is paid at most once. By `mode`:

    * "none": nothing is paid.
    * "aligned": `weight/m` for passing each of the m positions that matter. The chain's last position is not among
      them: the outcome pays for it.
    * "potential": `Φ(s') - Φ(s)`, where Φ is `weight` times the share of the positions that matter that the agent has
      passed, and 0 once the chain is broken. The sum telescopes to Φ at the end.
    * "noisy": as "aligned" for the first attempt at a position, but paid and unpaid are swapped with probability
      `noise`.
    * "hackable": pays for a bait in the first attempt at any position but the last; where a signal asks for an action,
      the bait is a wrong one.
    * "shuffled": pays in the first attempt for an action that was drawn for the position: as
      often as "aligned", but without meaning.

    A message without an action counts as a wrong action; at a grey position no action is wrong. With `errors="silent"`
    the agent does not learn of an error: the chain goes on to its end and fails there. A grey position, and each of the
    `delay` turns at the end, changes nothing: its true advantage in the outcome is 0.

    Args:
        length: the number of positions before the `delay`, 2 to 64.
        actions: the number of actions, 2 to 16.
        mode: how turns are paid, see above.
        weight: the most that the turn rewards can sum to.
        noise: the probability that "noisy" swaps paid and unpaid.
        distractors: the number of grey positions, drawn by task; not read if `pivot` is given.
        pivot: the only position (from 0) that matters; all others are grey.
        delay: the number of grey turns between the last signal and the outcome.
        errors: "silent" breaks the chain, "fatal" ends the episode, "recoverable" lets the agent try again.
        setback: the number of positions lost by a recoverable error.
        slack: the number of turns beyond the chain's own; by default `length` if errors are recoverable, else 0.
        slip: the probability that an action drawn uniformly from all is taken in place of the agent's.
        stop_reward: if given, the action `stop` ends the episode with this outcome reward and without success.
        clock: whether observations and state keys contain the turn; without it, states recur after recoverable errors.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if an argument is out of range or names nothing known.
    """

    num_tasks = 1_000

    @checked_arguments
    def __init__(
        self,
        length: int = 8,
        *,
        actions: int = 4,
        mode: str = "aligned",
        weight: float = 0.5,
        noise: float = 0.2,
        distractors: int = 0,
        pivot: int | None = None,
        delay: int = 0,
        errors: str = "silent",
        setback: int = 0,
        slack: int | None = None,
        slip: float = 0.0,
        stop_reward: float | None = None,
        clock: bool = True,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        check_choice("mode", mode, MODES)
        check_choice("errors", errors, ERRORS)
        check_range("length", length, 2, 64)
        check_range("actions", actions, 2, len(SIGNALS))
        check_range("distractors", distractors, 0, length - 1)
        check_range("pivot", pivot or 0, 0, length - 1)
        for name, steps in (("delay", delay), ("setback", setback), ("slack", slack or 0)):
            check_range(name, steps, 0)
        check_range("weight", weight, 0)
        check_range("noise", noise, 0, 1)
        check_range("slip", slip, 0, 1)
        check_range("stop_reward", stop_reward or 0.0, 0, 0.5)
        self._mode, self._noise, self._slip = mode, noise if mode == "noisy" else 0.0, slip
        self._errors, self._setback, self._stop_reward, self._clock = errors, setback, stop_reward, clock
        self._actions, self._end = actions, length + delay
        self._chain = partial(_chain, length, actions, mode, weight, distractors, pivot, delay)
        self.max_turns = self._end + (length * (errors == "recoverable") if slack is None else slack)
        names = tuple(f"a{number}" for number in range(actions))
        self.action_texts = names if stop_reward is None else (*names, "stop")
        self._numbers = {text: number for number, text in enumerate(self.action_texts)}
        # ASCII, because Unicode folds other characters to letters: "ſtop" would match, and is no action.
        self._command = re.compile(rf"\b(?:{'|'.join(self.action_texts)})\b(?!\.[0-9])", re.IGNORECASE | re.ASCII)
        self._unread = f"Your message names no action: write one of {', '.join(self.action_texts)}. "
        self.system_prompt = self._rules(names)

    def _rules(self, names: Sequence[str]) -> str:
        steps = self._setback
        error = {
            "silent": "One wrong action spoils the task, and you are not told.",
            "fatal": "One wrong action ends the task.",
            "recoverable": f"A wrong action costs the turn and sets you back by {steps} positions; then try again.",
        }[self._errors]
        rules = (
            f"Walk along a chain of {self._end} positions in at most {self.max_turns} turns. Each position shows a "
            f"signal; answer with the action that the table asks for. The last action named in your message counts. "
            f"{error}\n\nTable: {', '.join(map('{}: {}'.format, SIGNALS, names))}; {NO_SIGNAL}: any action."
        )
        if self._stop_reward is not None:
            rules += f" The action stop ends the task, unsolved, for {self._stop_reward} points."
        return rules

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Walk, str]:
        """Task i is a chain, drawn with i in the seed."""
        state = Walk(options["task"], self._chain(options["task"]))
        return state, self._sight(state)

    def respond(self, state: Walk, action: str, rng: np.random.Generator) -> Reply:
        """Take the last action that the text names, and move along the chain."""
        state.turn += 1
        taken = self._numbers.get(action)
        if taken is None:
            named = self._command.findall(action)
            taken = self._numbers[named[-1].lower()] if named else -1
        valid = taken >= 0
        if taken == self._actions:
            outcome = {"stopped": self._stop_reward or 0.0}
            return Reply.final("You stop here.", {self._mode: 0.0}, outcome=outcome, success=False)
        if self._slip and rng.random() < self._slip:
            taken = int(rng.integers(self._actions))
        wanted = state.chain.right[state.position]
        right = wanted < 0 or taken == wanted
        if self._mode == "potential":
            before = self._potential(state)
            self._move(state, right)
            rewards = {self._mode: self._potential(state) - before}
        else:
            rewards = {self._mode: self._pay(state, taken, rng)}
            self._move(state, right)
        if state.position < self._end and (state.intact or self._errors == "silent"):
            said = self._unread if not valid else "" if right or self._errors == "silent" else "Wrong. "
            return Reply.turn(said + self._sight(state), rewards, valid=valid)
        text, end = ("The chain holds.", End.SOLVED) if state.intact else ("The chain is broken.", End.FAILED)
        outcome = {"chain": float(state.intact)}
        return Reply.final(text, rewards, outcome=outcome, success=state.intact, end=end, valid=valid)

    def _pay(self, state: Walk, taken: int, rng: np.random.Generator) -> float:
        paid = state.chain.paid[state.position]
        if paid < 0 or state.position < state.furthest or (state.tried and self._mode != "aligned"):
            return 0.0
        swapped = self._noise > 0.0 and bool(rng.random() < self._noise)
        return state.chain.unit * ((taken == paid) != swapped)

    def _move(self, state: Walk, right: bool) -> None:
        if right or self._errors == "silent":
            state.position += 1
            state.intact = state.intact and right
            if state.position > state.furthest:
                state.furthest, state.tried = state.position, False
            return
        state.tried = state.tried or state.position == state.furthest
        state.intact = self._errors == "recoverable"
        state.position = max(0, state.position - self._setback)

    def _potential(self, state: Walk) -> float:
        return state.chain.potential[state.position] if state.intact else 0.0

    def _sight(self, state: Walk) -> str:
        clock = f"Turn {state.turn + 1} of {self.max_turns}. " if self._clock else ""
        return clock + state.chain.signs[state.position]

    def state_key(self, state: Walk) -> tuple[int, ...]:
        """The task, the turn (0 without a clock), the position, and what decides later rewards and the outcome."""
        turn = state.turn if self._clock else 0
        return state.task, turn, state.position, state.furthest, int(state.tried), int(state.intact)

    def observation_key(self, state: Walk) -> tuple[int, ...]:
        """What the agent can distinguish: not whether the chain was broken silently."""
        return state.task, state.turn if self._clock else 0, state.position


@lru_cache(maxsize=4096)
def _chain(
    length: int, actions: int, mode: str, weight: float, distractors: int, pivot: int | None, delay: int, task: int
) -> Chain:
    rng = np.random.default_rng((_SEED, task))
    right = rng.integers(actions, size=length).tolist()
    other = ((right + rng.integers(1, actions, size=length)) % actions).tolist()
    drawn = rng.integers(actions, size=length).tolist()
    grey = set(range(length)) - {pivot} if pivot is not None else set(rng.permutation(length)[:distractors].tolist())
    matters = [position not in grey for position in range(length)]
    paid = {"hackable": other, "shuffled": drawn, "none": [-1] * length, "potential": [-1] * length}.get(mode, right)
    kept = [here if (use or mode == "hackable") else -1 for here, use in zip(paid, matters, strict=True)] + [-1] * delay
    # The outcome pays for the last turn.
    kept[-1] = -1
    right = [here if use else -1 for here, use in zip(right, matters, strict=True)] + [-1] * delay
    behind = accumulate((here >= 0 for here in right), initial=0)
    signs = [NO_SIGNAL if here < 0 else SIGNALS[here] for here in right]
    return Chain(
        tuple(right),
        tuple(kept),
        weight / max(1, sum(here >= 0 for here in kept)),
        tuple(weight * count / sum(matters) for count in behind),
        tuple(f"Position {at} of {length + delay}. Signal: {sign}." for at, sign in enumerate(signs, 1)),
    )


make_vector = partial(TextVectorEnv, CreditChain)
