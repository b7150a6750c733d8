"""A turnenv environment as the `environment_factory` of TRL's stock GRPOTrainer: its tools become methods."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import gymnasium

from turnenv.actions.grammars import HERMES_CALL
from turnenv.core import TextEnv
from turnenv.types import End

__all__ = ["TrlEnvironment", "environment_factory", "outcome_reward", "turn_reward"]

_OVER = "The episode is over; write nothing more."
_TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}


class TrlEnvironment:
    """One episode after another of a turnenv environment, as TRL drives it; made by `environment_factory`.

    TRL's trainer offers every public method but `reset` to the model as a tool. A call is a turn; so is the message
    without a call that ends a completion, which TRL shows to the reward functions alone.

    Attributes:
        system_prompt: what the agent reads first; with TRL the dataset's prompts must include it.
    """

    system_prompt: ClassVar[str] = ""
    _env_id: ClassVar[str]
    _kwargs: ClassVar[Mapping[str, Any]]

    def __init__(self) -> None:
        self._env = _make(self._env_id, self._kwargs)
        self._over, self._fault, self._turn_rewards, self._outcome = True, False, [0.0], 0.0

    def reset(self, *, seed: int, task: int | None = None, **row: Any) -> str:
        """Begin an episode; the rows of a group are equal, so that they get the same task and noise.

        Args:
            seed: the row's column `seed`.
            task: its column `task`; by default the seed decides.
            **row: the other columns, which are not read.
        """
        self._over, self._fault, self._turn_rewards, self._outcome = False, False, [], 0.0
        return self._env.reset(seed=seed, options=None if task is None else {"task": task})[0]

    def _step(self, action: str) -> str:
        if self._over:
            return _OVER
        observation, _, terminated, truncated, info = self._env.step(action)
        self._turn_rewards = info["turn_rewards"]
        self._over = terminated or truncated
        if self._over:
            self._outcome, self._fault = info["outcome_reward"], info["outcome"]["end"] == End.FAULT
        # The chat template wraps a tool's result itself.
        return observation.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>")

    def _finish(self, completion: Sequence[Mapping[str, Any]]) -> None:
        """Take a turn with the closing message, if there is one, and end the episode."""
        last = completion[-1]
        if last["role"] == "assistant" and not last.get("tool_calls"):
            self._step(last.get("content") or "")
        self._over = True


class _Game(TrlEnvironment):
    """An environment without tools."""

    def act(self, message: str) -> str:
        """Take one turn in the environment.

        Args:
            message: what you say to the environment in this turn.
        """
        return self._step(message)


def environment_factory(env_id: str, **kwargs: Any) -> type[TrlEnvironment]:
    """Make a class of `TrlEnvironment` for an id, to pass to `GRPOTrainer(environment_factory=…)`.

    The model calls the environment's tools in the format of its chat template. An environment without tools has one
    tool, `act`, whose `message` is the turn's text.

    Args:
        env_id: as `gymnasium.make` takes it.
        **kwargs: arguments of the environment; one with tools is made with `grammar="hermes"`.

    Raises:
        TypeError: if the id does not make a `turnenv.TextEnv`.
    """
    env = _make(env_id, kwargs)
    if env.tools:
        kwargs = {**kwargs, "grammar": "hermes"}
        env = _make(env_id, kwargs)
    methods = {tool["function"]["name"]: _method(tool["function"]) for tool in env.tools}
    body = {"system_prompt": env.system_prompt, "_env_id": env_id, "_kwargs": kwargs, **methods}
    return type("TrlEnvironment", (TrlEnvironment if methods else _Game,), body)


def outcome_reward(completions: Sequence[Any], environments: Sequence[TrlEnvironment], **_: Any) -> list[float | None]:
    """A reward function for TRL: the outcome's reward of each episode; None after a fault."""
    return [env._outcome if ended else None for env, ended in _ended(completions, environments)]


def turn_reward(completions: Sequence[Any], environments: Sequence[TrlEnvironment], **_: Any) -> list[float | None]:
    """A reward function for TRL: the sum of each episode's turn rewards; None after a fault."""
    return [float(sum(env._turn_rewards)) if ended else None for env, ended in _ended(completions, environments)]


def _ended(completions: Sequence[Any], environments: Sequence[TrlEnvironment]) -> Sequence[tuple[TrlEnvironment, bool]]:
    for completion, env in zip(completions, environments, strict=True):
        env._finish(completion)
    return [(env, not env._fault) for env in environments]


def _make(env_id: str, kwargs: Mapping[str, Any]) -> TextEnv[Any]:
    env = gymnasium.make(env_id, **kwargs).unwrapped
    if not isinstance(env, TextEnv):
        raise TypeError(f"{env_id!r} is a {type(env).__name__}, not a turnenv.TextEnv")
    return env


def _method(schema: Mapping[str, Any]) -> Callable[..., str]:
    """Make a method whose name, parameters and docstring give TRL the tool's schema.

    The environment validates the arguments, so that a wrong call is a turn too.
    """
    name, properties = schema["name"], schema["parameters"].get("properties", {})

    def method(self: TrlEnvironment, /, **arguments: Any) -> str:
        # Not checked here: what the environment cannot read is refused as a turn, not raised at the trainer.
        return self._step(HERMES_CALL.write(name, arguments))

    types = {key: _TYPES.get(field.get("type", ""), str) for key, field in properties.items()}
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [
        inspect.Parameter(
            key,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=types[key],
            default=field.get("default", inspect.Parameter.empty),
        )
        for key, field in properties.items()
    ]
    method.__name__ = method.__qualname__ = name
    method.__signature__ = inspect.Signature([own, *parameters], return_annotation=str)  # type: ignore[attr-defined]
    method.__annotations__ = {**types, "return": str}
    described = "\n".join(f"    {key}: {field.get('description', key)}" for key, field in properties.items())
    method.__doc__ = f"{schema['description']}\n\nArgs:\n{described}" if described else schema["description"]
    return method
