"""From what `--model` says to the policy that plays."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from turnenv.commands.console import MistakeError, UnavailableError, visible

if TYPE_CHECKING:
    from turnenv.actions import Grammar
    from turnenv.core.contract import TextEnvironment
    from turnenv.policies import Conversation, PacedPolicy, Policy
    from turnenv.policies.endpoint import Prices

__all__ = ["PlayerOptions", "make_player"]

MODEL_HELP = (
    "openai:NAME, a model at an OpenAI-compatible server (--base-url); a folder or hub id of a local model; "
    "vllm:PATH, the same in vLLM; random; or human"
)


@dataclass(frozen=True)
class PlayerOptions:
    """How a model is sampled, and where it is.

    Attributes:
        base_url: of the server; None takes OPENAI_BASE_URL, or OpenAI's own.
        api_key: None takes OPENAI_API_KEY.
        concurrency: episodes at once.
        tools: as `EndpointPolicy` has it.
        temperature: None is 1 for a local model, and the server's own for others.
        max_tokens: of one turn.
        stop: texts that end a turn.
        sampling_seed: None leaves it to the server, and is 0 for a local model.
        prices: of the model's tokens.
        extra_body: more fields of each request.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    concurrency: int = 16
    tools: Literal["native", "text"] = "text"
    temperature: float | None = None
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    sampling_seed: int | None = None
    prices: Prices | None = None
    extra_body: Mapping[str, Any] | None = None


def make_player(model: str, options: PlayerOptions) -> Callable[[TextEnvironment], Policy | PacedPolicy]:
    """What makes the policy for an environment; a model is loaded once for all.

    Raises:
        MistakeError: if no such model can play.
    """
    kind, _, name = model.partition(":")
    if kind == "openai" and name:
        return _of_endpoint(name, options)
    if options.base_url is not None and kind != "openai":
        on_server = name if kind == "vllm" else model
        raise MistakeError(f"--base-url is for a model on a server: pass --model openai:{on_server}")
    if kind == "vllm" and name:
        in_vllm = _in_vllm(name, options)
        return lambda env: in_vllm
    if model == "scripted":
        raise MistakeError("the scripted experts are in a clone of turnenv: python -m benchmarks evaluate")
    if model == "random":
        return _Random
    if model == "human":
        return lambda env: _Human()
    policy = _local(model, options)
    return lambda env: policy


def _of_endpoint(name: str, options: PlayerOptions) -> Callable[[TextEnvironment], Policy | PacedPolicy]:
    from turnenv.policies.endpoint import EndpointPolicy

    try:
        policy = EndpointPolicy(
            model=name,
            base_url=options.base_url,
            api_key=options.api_key,
            concurrency=options.concurrency,
            tools=options.tools,
            temperature=options.temperature,
            seed=options.sampling_seed,
            max_tokens=options.max_tokens,
            stop=options.stop,
            prices=options.prices,
            extra_body=options.extra_body,
        )
    except ValueError as error:
        raise MistakeError(str(error)) from error
    return lambda env: policy


def _local(model: str, options: PlayerOptions) -> Policy:
    _check_local(model, options)
    try:
        from turnenv.policies.pretrained import load_policy

        return load_policy(model, **_sampling(options))
    except ModuleNotFoundError as error:
        raise MistakeError(f"{error} (a model on a server is --model openai:NAME)") from error
    except ValueError as error:
        raise MistakeError(str(error)) from error


def _in_vllm(model: str, options: PlayerOptions) -> PacedPolicy:
    _check_local(model, options)
    # vLLM reads these when it is imported, and would log to stdout, where --json writes.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    try:
        from turnenv.policies.vllm import load_vllm_policy

        return load_vllm_policy(model, concurrency=options.concurrency, **_sampling(options))
    except (ModuleNotFoundError, ValueError) as error:
        raise MistakeError(str(error)) from error


def _check_local(model: str, options: PlayerOptions) -> None:
    from turnenv.policies.model_names import check_model_name

    if options.tools == "native":
        raise MistakeError("--tools native needs a server (--model openai:NAME): a local model writes calls as text")
    try:
        check_model_name(model)
    except ValueError as error:
        raise MistakeError(str(error)) from error


def _sampling(options: PlayerOptions) -> dict[str, Any]:
    return {
        "seed": options.sampling_seed or 0,
        "max_turn_tokens": options.max_tokens,
        "temperature": 1.0 if options.temperature is None else options.temperature,
        "stop_strings": options.stop,
    }


class _Random:
    """Texts at random that the environment may understand; each seed has its own."""

    concurrency = 1

    def __init__(self, env: TextEnvironment) -> None:
        self._env = env

    def converse(
        self, system_prompt: str, tools: Sequence[Mapping[str, Any]], grammar: Grammar | None, seed: int
    ) -> Conversation:
        from turnenv.commands.random_player import RandomPlayer

        return _Spoken(RandomPlayer(self._env, seed))


class _Human:
    """Whoever sits at the terminal, one episode after the other."""

    concurrency = 1

    def converse(
        self, system_prompt: str, tools: Sequence[Mapping[str, Any]], grammar: Grammar | None, seed: int
    ) -> Conversation:
        print(f"\nseed {seed}\n\n{visible(system_prompt)}", file=sys.stderr)
        return _Spoken(_asked)


def _asked(observation: str) -> str:
    from turnenv.commands.play import read_action

    print(f"\n{visible(observation)}", file=sys.stderr)
    action = read_action(observation)
    if action is None:
        raise UnavailableError("the input ended before the episode was over; finished episodes are kept with --out")
    return action


class _Spoken:
    """A plain function from observation to action, in a thread, for it may wait for a person."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        self._answer = answer

    async def act(self, observation: str) -> str:
        from anyio import to_thread

        return await to_thread.run_sync(self._answer, observation)
