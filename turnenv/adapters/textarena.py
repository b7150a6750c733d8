"""TextArena's games for one player (`pip install textarena`) as turnenv environments."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from turnenv.adapters.peer import LONGEST, PeerEnv, global_generators
from turnenv.core import Reply, TextVectorEnv
from turnenv.core.arguments import checked_arguments
from turnenv.extras import needs
from turnenv.types import End

__all__ = ["TextArenaEnv", "make_vector"]


class TextArenaEnv(PeerEnv):
    """A game that `textarena.make` makes, without its wrappers, which repeat the whole history at every turn.

    TextArena pays only at the end: turns earn nothing, and its reward is the outcome's. A move that it refuses is not
    a valid action. Task i is the game that TextArena plays with seed i. Some games download word lists when they are
    made, and some do not run on Python 3.11.

    To make it by `gym.make`::

        gymnasium.register(
            "me/Hangman-v0",
            entry_point="turnenv.adapters.textarena:TextArenaEnv",
            vector_entry_point="turnenv.adapters.textarena:make_vector",
            kwargs={"textarena_id": "Hangman-v0"},
        )

    Args:
        textarena_id: TextArena's id, such as "GuessTheNumber-v0".
        max_turns: by default 2 · (limit + 1), the most turns that TextArena's limit can allow: it plays one turn more
            than its limit, and does not count a refused move before a legal one. 100 if the game has no limit.
        success_reward: the smallest reward that counts as a win.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.
        **kwargs: passed to `textarena.make`.

    Raises:
        ModuleNotFoundError: if TextArena is not installed.
        ValueError: if TextArena has no such id, or the game is not one for one player.
    """

    component = "textarena"

    @checked_arguments
    def __init__(
        self,
        textarena_id: str,
        *,
        max_turns: int | None = None,
        success_reward: float = 1.0,
        render_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(render_mode=render_mode)
        self._id, self._kwargs, self._success_reward = textarena_id, kwargs, success_reward
        with global_generators(0):
            limit = self._begun(0).state.max_turns
        self.max_turns = max_turns or (LONGEST if limit is None else 2 * (limit + 1))

    def begin(self, task: int) -> tuple[Any, str]:
        """Reset the game with the task as its seed."""
        peer = self._begun(task)
        return peer, _new_text(peer)

    def play(self, peer: Any, action: str) -> Reply:
        """Make the move."""
        errors = peer.state.error_count
        done, _ = peer.step(action)
        valid = not peer.state.game_info[0]["invalid_move"] and peer.state.error_count <= errors
        if not done:
            return Reply.turn(_new_text(peer), valid=valid)
        rewards, game_info = peer.close()
        outcome = {self.component: float(rewards[0])}
        success, limit = outcome[self.component] >= self._success_reward, peer.state.max_turns
        cut = limit is not None and peer.state.turn >= limit
        end = End.SOLVED if success else End.TURN_LIMIT if cut else End.FAILED
        text = "\n".join(filter(None, (_new_text(peer), game_info[0].get("reason"))))
        return Reply.final(text, outcome=outcome, success=success, end=end, valid=valid)

    def _begun(self, task: int) -> Any:
        with needs("textarena", "TextArenaEnv"):
            import textarena
        from textarena.envs.registration import ENV_REGISTRY

        raw = f"{self._id}-raw"
        peer = textarena.make(raw if raw in ENV_REGISTRY else self._id, **self._kwargs)
        with contextlib.suppress(AssertionError):
            peer.reset(num_players=1, seed=task)
        if not isinstance(getattr(peer, "state", None), textarena.SinglePlayerState):
            raise ValueError(f"{self._id} is not a game for one player")
        return peer


def _new_text(peer: Any) -> str:
    """What the game has said since the last call, without the player's own words."""
    from textarena import ObservationType

    _, messages = peer.get_observation()
    return "\n".join(text for _, text, kind in messages if kind is not ObservationType.PLAYER_ACTION).strip()


make_vector = partial(TextVectorEnv, TextArenaEnv)
