"""One vLLM engine for many conversations: each asks when it can, and all that have asked share the engine's steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import torch
from anyio import to_thread

from turnenv.policies.token_stream import Sampled

_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Answered:
    """A turn that the engine sampled.

    Attributes:
        sampled: its tokens.
        cached: how many tokens of the prompt came from the prefix cache.
    """

    sampled: Sampled
    cached: int


@dataclass(eq=False, slots=True)
class _Request:
    """A turn that is asked for; `woken` is set when it has been sampled, or when it is its turn to step the engine."""

    name: str
    ids: list[int]
    params: Any
    answered: Answered | None = None
    seen: int = 0
    woken: anyio.Event = field(default_factory=anyio.Event)


class ContinuousBatch:
    """Samples turns by an engine's `add_request` and `step`, ids in and ids out.

    One of the conversations that wait steps the engine, in a thread, until its own turn is sampled, and then leaves
    that to another. Requests join and leave between steps, so that none waits for another's environment.

    Args:
        engine: a vLLM `LLMEngine`; nothing else may use it meanwhile.
        ends_turn: given a turn's ids so far, True if it ends here though no EOS was sampled; None if only EOS ends it.
    """

    def __init__(self, engine: Any, ends_turn: Callable[[Sequence[int]], bool] | None = None) -> None:
        self._engine, self._ends_turn = engine, ends_turn
        self._waiting: list[_Request] = []
        self._running: dict[str, _Request] = {}
        self._dropped: list[str] = []
        self._stepping = False
        # The current device belongs to a thread, and the engine steps in others.
        self._device = torch.cuda.current_device() if torch.cuda.is_available() else None

    async def sample(self, ids: Sequence[int], params: Any) -> Answered:
        """Sample one turn.

        Args:
            ids: the whole conversation.
            params: vLLM's `SamplingParams`.

        Raises:
            RuntimeError: if the engine read other ids than it was given, or gave a turn up.
        """
        request = _Request(f"turn-{next(_NUMBERS)}", list(ids), params)
        self._waiting.append(request)
        try:
            while request.answered is None:
                if self._stepping:
                    await request.woken.wait()
                    request.woken = anyio.Event()
                else:
                    await self._step_for(request)
        finally:
            self._forget(request)
        return request.answered

    async def _step_for(self, request: _Request) -> None:
        """Step the engine until a request is done, and wake another that is not."""
        self._stepping = True
        try:
            while request.answered is None:
                waiting, self._waiting = self._waiting, []
                dropped, self._dropped = self._dropped, []
                self._running |= {each.name: each for each in waiting}
                for done in await to_thread.run_sync(self._step, waiting, dropped):
                    self._running.pop(done.name, None)
                    done.woken.set()
        finally:
            self._stepping = False
            for other in itertools.chain(self._running.values(), self._waiting):
                if other is not request:
                    other.woken.set()
                    break

    def _step(self, added: Sequence[_Request], dropped: list[str]) -> list[_Request]:
        """Let the engine make one step, and return the requests that it finished; called in one thread at a time."""
        if self._device is not None:
            torch.cuda.set_device(self._device)
        if dropped:
            self._engine.abort_request(dropped)
        for request in added:
            self._engine.add_request(request.name, {"prompt_token_ids": request.ids}, request.params)
        outputs = [(self._running.get(output.request_id), output) for output in self._engine.step()]
        return [request for request, output in outputs if request is not None and self._read(request, output)]

    def _read(self, request: _Request, output: Any) -> bool:
        """Take what the engine says of a request, and say whether its turn is over."""
        if list(output.prompt_token_ids) != request.ids:
            raise RuntimeError("vLLM read other ids than it was given, so that no token would be exact")
        (completion,) = output.outputs
        ids = list(completion.token_ids)
        length = self._ended_at(ids, request.seen)
        request.seen = len(ids)
        if length is None and not output.finished:
            return False
        if not output.finished:
            self._dropped.append(request.name)
        elif completion.finish_reason not in ("stop", "length"):
            raise RuntimeError(f"vLLM gave a turn up: {completion.finish_reason}")
        ids = ids[:length]
        logprobs = [step[token].logprob for token, step in zip(ids, completion.logprobs, strict=False)]
        request.answered = Answered(Sampled(ids, logprobs), output.num_cached_tokens or 0)
        return True

    def _ended_at(self, ids: Sequence[int], seen: int) -> int | None:
        """After how many ids a stop string ends the turn; None if none does."""
        if self._ends_turn is None:
            return None
        return next((n for n in range(seen + 1, len(ids) + 1) if self._ends_turn(ids[:n])), None)

    def _forget(self, request: _Request) -> None:
        """Take a request back that nobody waits for any more."""
        if request in self._waiting:
            self._waiting.remove(request)
        elif self._running.pop(request.name, None) is not None and request.answered is None:
            self._dropped.append(request.name)
