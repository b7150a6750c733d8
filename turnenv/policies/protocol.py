"""What a policy is, by two clocks: it acts on a batch of episodes in lock-step, or in each episode at its own pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from turnenv.types import Usage

if TYPE_CHECKING:
    from turnenv.actions import Grammar


@dataclass(frozen=True, slots=True)
class Action:
    """What an agent wrote in one turn.

    Attributes:
        text: what the environment is given.
        token_ids: the ids that were sampled; None if no model acted.
        logprobs: their log-probabilities (nats); None if unknown.
        fault: what failed in the infrastructure so that there is no action; "" if nothing did.
        reasoning: what the model wrote apart from it; recorded, and not given to the environment.
        usage: tokens and cost as the model's server counted them; None if no server did.
        out_of_tokens: True if the agent may write no more, so that there is no action and the episode ends.
    """

    text: str
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    fault: str = ""
    reasoning: str = ""
    usage: Usage | None = None
    out_of_tokens: bool = False


class Policy(Protocol):
    """Acts in a batch of episodes that are played in lock-step; the conversations are its own to keep."""

    def begin(self, system_prompts: Sequence[str], tools: Sequence[Mapping[str, Any]]) -> None:
        """Forget the last batch; `len(system_prompts)` episodes are about to begin."""

    def act(self, rows: Sequence[int], observations: Sequence[str]) -> Sequence[Action | str]:
        """Act in the episodes `rows` (those still running) after reading what is new in each; one action per row."""


@runtime_checkable
class PreparedPolicy(Policy, Protocol):
    """A policy that has to be prepared for each batch of episodes, such as a model whose parameters are sharded."""

    def playing(self) -> AbstractContextManager[None]:
        """Open while a batch is played."""


class PolicyFault(RuntimeError):  # noqa: N818 (the glossary's word)
    """The infrastructure of a policy failed (a server is down): its episode ends as a fault, the others go on."""


class Conversation(Protocol):
    """One episode as a `PacedPolicy` plays it; it keeps what was said so far."""

    async def act(self, observation: str) -> Action | str:
        """Act after reading what is new.

        Raises:
            PolicyFault: if there is no action, and it is not the agent's doing.
        """


@runtime_checkable
class RecordedConversation(Conversation, Protocol):
    """A conversation that is kept when its episode has ended."""

    def ended(self, row: int) -> None:
        """Called once, with the number of the episode among those that are played."""


@runtime_checkable
class PacedPolicy(Protocol):
    """Acts in one episode at a time, in many at once: none waits for another.

    Attributes:
        concurrency: how many episodes it plays at once, at least 1.
    """

    concurrency: int

    def converse(
        self, system_prompt: str, tools: Sequence[Mapping[str, Any]], grammar: Grammar | None, seed: int
    ) -> Conversation:
        """Begin an episode; its `act` is awaited on turnenv's event loop (`turnenv.net.loop`).

        Args:
            system_prompt: what the agent reads before the first observation.
            tools: JSON schemas of the tools.
            grammar: how the environment reads calls and answers; None if it does not say.
            seed: of the episode.
        """
