"""A model that vLLM runs in this process as a policy: each episode at its own pace, every token exact."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from turnenv.extras import needs
from turnenv.policies.chat_frame import ChatFrame
from turnenv.policies.continuous_batch import ContinuousBatch
from turnenv.policies.protocol import Action
from turnenv.policies.token_stream import TokenLimits, TokenStream
from turnenv.types import Usage

with needs("vllm", "A policy of vLLM"):
    from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import RequestOutputKind

if TYPE_CHECKING:
    from turnenv.actions import Grammar

_PROCESSED = "processed_logprobs"
#: A CPU's kernels take a block size of this, and compiling costs a minute that small models never earn back.
_ON_A_CPU = {"block_size": 32, "enforce_eager": True}


class VLLMPolicy:
    """Plays any environment with a model in vLLM: `collect(env, VLLMPolicy(llm, tokenizer), seeds)`.

    It samples an episode's next turn as soon as its environment has answered, together with whatever turns of others
    are sampled just then (continuous batching). Frames, limits and silence are those of `ChatPolicy`, and so are the
    ids; log-probabilities are those that tokens were drawn with. What an episode has read and written stays in vLLM's
    prefix cache until its next turn; reset that cache whenever the weights change.

    A turn is drawn with a seed of its own, made of `seed`, the episode's seed and the turn. Which turns share a step
    depends on time, and moves the last bits of the logits, so that a run repeats another but for ties, and for the
    order of episodes that have the same seed.

    Args:
        llm: a `vllm.LLM`, such as `load_engine` makes.
        tokenizer: of the model.
        max_turn_tokens: as of `ChatPolicy`.
        max_episode_tokens: as of `ChatPolicy`.
        temperature: as of `ChatPolicy`.
        top_p: as of `ChatPolicy`.
        top_k: as of `ChatPolicy`.
        stop_strings: as of `ChatPolicy`.
        pass_tools: as of `ChatPolicy`.
        template_kwargs: as of `ChatPolicy`.
        seed: of sampling.
        concurrency: episodes at once.
        frame: as of `ChatPolicy`.

    Attributes:
        streams: the number of an episode in the last call of `collect` → its tokens.

    Raises:
        ValueError: if the engine reports log-probabilities of another distribution than the one it draws from, or an
            argument cannot work.
    """

    def __init__(
        self,
        llm: LLM,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_turn_tokens: int = 256,
        max_episode_tokens: int | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        top_k: int = 0,
        stop_strings: Sequence[str] = (),
        pass_tools: bool = False,
        template_kwargs: Mapping[str, Any] | None = None,
        seed: int = 0,
        concurrency: int = 64,
        frame: ChatFrame | None = None,
    ) -> None:
        settings = llm.llm_engine.model_config
        if settings.logprobs_mode != _PROCESSED:
            raise ValueError(
                f"the engine reports {settings.logprobs_mode}, which are not those that tokens are drawn with: make it "
                f"with logprobs_mode={_PROCESSED!r}, as load_engine does"
            )
        self.limits = TokenLimits(max_turn_tokens, max_episode_tokens, settings.max_model_len)
        self.frame = frame or ChatFrame.from_tokenizer(
            tokenizer,
            eos_ids=_eos_ids_of(settings),
            stop_strings=stop_strings,
            pass_tools=pass_tools,
            template_kwargs=template_kwargs,
        )
        self.seed, self.concurrency = seed, concurrency
        self.streams: dict[int, TokenStream] = {}
        ends_turn = self.frame.has_stop if self.frame.stop_strings else None
        self._sampling: dict[str, Any] = {
            "temperature": temperature,
            "top_p": top_p,
            "top_k": top_k,
            "logprobs": 0,
            "detokenize": False,
            "ignore_eos": True,
            "stop_token_ids": list(self.frame.eos_ids),
            "output_kind": RequestOutputKind.FINAL_ONLY if ends_turn is None else RequestOutputKind.CUMULATIVE,
        }
        self._params(1, 0)
        self._batch = ContinuousBatch(llm.llm_engine, ends_turn)
        self._begun: Counter[int] = Counter()

    def converse(
        self, system_prompt: str, tools: Sequence[Mapping[str, Any]], grammar: Grammar | None, seed: int
    ) -> _Talk:
        """Begin an episode."""
        self._begun[seed] += 1
        return _Talk(self, system_prompt, tools, (self.seed, seed, self._begun[seed]))

    def _params(self, max_tokens: int, seed: int) -> SamplingParams:
        return SamplingParams(max_tokens=max_tokens, seed=seed, **self._sampling)


class _Talk:
    """One episode, whose ids only ever grow."""

    def __init__(
        self, policy: VLLMPolicy, system_prompt: str, tools: Sequence[Mapping[str, Any]], seeds: tuple[int, ...]
    ) -> None:
        self._policy, self._system_prompt, self._tools, self._seeds = policy, system_prompt, tools, seeds
        self._stream = TokenStream([])
        self._turn = 0
        self._silent = self._spent = False

    async def act(self, observation: str) -> Action:
        """Sample a turn.

        Raises:
            ValueError: if the prompt alone fills the model's context.
        """
        self._read(observation)
        turn, self._turn = self._turn, self._turn + 1
        if self._silent:
            return Action("", (), (), out_of_tokens=self._spent)
        policy, ids = self._policy, [*self._stream.prompt_ids, *self._stream.completion_ids]
        cap = min(policy.limits.turn, policy.limits.room(self._stream))
        seed = int(np.random.default_rng([*self._seeds, turn]).integers(1 << 62))
        answered = await policy._batch.sample(ids, policy._params(cap, seed))
        sampled = answered.sampled
        self._stream.wrote(turn, sampled)
        usage = Usage(len(ids), len(sampled.ids), answered.cached)
        return Action(policy.frame.text(sampled.ids), tuple(sampled.ids), tuple(sampled.logprobs), usage=usage)

    def ended(self, row: int) -> None:
        """Keep the tokens under the episode's number."""
        self._policy.streams[row] = self._stream

    def _read(self, observation: str) -> None:
        """Append what is new to the stream; an episode without room for it acts no more."""
        frame, limits, stream = self._policy.frame, self._policy.limits, self._stream
        if self._turn == 0:
            (stream.prompt_ids,) = frame.prompts([self._system_prompt], [observation], self._tools)
            limits.check_prompt(stream.prompt_ids)
            return
        (ids,) = frame.replies([observation], [stream.completion_ids[-1] in frame.eos_ids])
        self._spent = self._spent or limits.budget(stream) <= len(ids)
        self._silent = self._silent or limits.room(stream) <= len(ids)
        if not self._silent:
            stream.read(ids)


def load_engine(name: str, **options: Any) -> LLM:
    """Load a model into an engine of vLLM in this process, with what exact tokens need of it.

    Args:
        name: a folder, or an id of the hub.
        **options: of `vllm.LLM`; the model's own precision by default, where vLLM would turn float32 into bfloat16.

    Raises:
        OSError: the model cannot be loaded.
        ValueError: vLLM does not know its architecture.
    """
    # vLLM would start a process of its own for the engine, which outlives a kill of this one.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    if runs_on_a_cpu():
        options = {**_ON_A_CPU, **options}
    if "dtype" not in options:
        options["dtype"] = AutoConfig.from_pretrained(name).dtype or "auto"
    return LLM(name, logprobs_mode=_PROCESSED, enable_prefix_caching=True, **options)


def load_vllm_policy(name: str, *, concurrency: int = 64, seed: int = 0, **options: Any) -> VLLMPolicy:
    """A `VLLMPolicy` of a model that is loaded here; raises as `load_engine` does.

    Args:
        name: a folder, or an id of the hub.
        concurrency: episodes at once.
        seed: of sampling.
        **options: of `VLLMPolicy`.
    """
    llm = load_engine(name, max_num_seqs=concurrency)
    tokenizer = AutoTokenizer.from_pretrained(name)
    return VLLMPolicy(llm, tokenizer, concurrency=concurrency, seed=seed, **options)


def runs_on_a_cpu() -> bool:
    """True if vLLM was built for a CPU."""
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def _eos_ids_of(settings: Any) -> list[int]:
    """Every id that the model's generation config declares to end a text."""
    declared = settings.try_get_generation_config().get("eos_token_id")
    if declared is None:
        return []
    return [declared] if isinstance(declared, int) else list(declared)
