"""Real model families, each a tokenizer with its chat template, and how a chat frame's tokens compare with it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from fetch_tokenizers import CACHE, missing
from jinja2.exceptions import TemplateError
from tokenizers import AddedToken
from transformers import AutoTokenizer

from turnenv.training import ChatFrame

SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PHI_TOKENS = ("<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
SYSTEM = "Be brief."
OBSERVATIONS = ("The key is 7.", "Line one\nline two", "Last one.")
ANSWERS = ("I call it.", "Then that.")
TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "search",
            "description": "Search the atlas.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        },
    },
)


@dataclass(frozen=True)
class Family:
    """A model family as its users load it.

    Attributes:
        name: how people call it.
        vocabulary: the fetched tokenizer.
        ends: the tokens of the models' generation config that end a turn, beside the tokenizer's EOS.
        template: a template of TRL's collection of originals, or a template's source; "" for the tokenizer's own.
        special: special tokens that the models have beyond the vocabulary.
        added: merely added tokens, likewise.
        eos: the tokenizer's EOS, if the fetched one has another.
        template_kwargs: passed to the template.
        thinks: True if its models think between `<think>` and `</think>`.
    """

    name: str
    vocabulary: str
    ends: tuple[str, ...] = ()
    template: str = ""
    special: tuple[AddedToken, ...] = ()
    added: tuple[str, ...] = ()
    eos: str = ""
    template_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    thinks: bool = False

    @functools.cached_property
    def tokenizer(self) -> Any:
        """Its tokenizer, with the chat template."""
        tokenizer: Any = AutoTokenizer.from_pretrained(CACHE / self.vocabulary)
        tokenizer.add_tokens(list(self.special), special_tokens=True)
        tokenizer.add_tokens(list(self.added))
        if self.eos:
            tokenizer.eos_token = self.eos
        if self.template:
            tokenizer.chat_template = _source(self.template)
        return tokenizer

    @functools.cache  # noqa: B019 - families live as long as the tests
    def frame(self, pass_tools: bool = False) -> ChatFrame:
        """Its chat frame."""
        return ChatFrame.from_tokenizer(
            self.tokenizer,
            eos_ids=self.tokenizer.convert_tokens_to_ids(list(self.ends)),
            template_kwargs=self.template_kwargs,
            pass_tools=pass_tools,
        )

    def rendered(self, messages: Sequence[Mapping[str, str]], tools: Sequence[Any] = ()) -> list[int]:
        """The template's own ids of a conversation."""
        kwargs = {**self.template_kwargs, **({"tools": list(tools)} if tools else {})}
        ids: list[int] = self.tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, return_dict=False, **kwargs
        )
        return ids


def _source(template: str) -> str:
    """A template's source; a bare name is one of the originals that TRL keeps."""
    return template if "{" in template else (files("trl") / "chat_templates" / f"{template}.jinja").read_text()


def _special(*contents: str, rstrip: bool = False) -> tuple[AddedToken, ...]:
    return tuple(AddedToken(content, special=True, normalized=False, rstrip=rstrip) for content in contents)


PHI = {"ends": ("<|end|>",), "special": _special(*PHI_TOKENS, rstrip=True), "eos": "<|endoftext|>"}
QWEN_ENDS = ("<|im_end|>", "<|endoftext|>")
FAMILIES = (
    Family("Qwen2.5", "qwen2_5", QWEN_ENDS),
    Family("Qwen3, thinking", "qwen3", QWEN_ENDS, thinks=True),
    Family("Qwen3, not thinking", "qwen3", QWEN_ENDS, template_kwargs={"enable_thinking": False}),
    Family("Qwen3.5, thinking", "qwen3", QWEN_ENDS, "qwen3_5_think", thinks=True),
    Family("Llama 3", "llama3", ("<|eot_id|>",)),
    Family("Llama 3.1", "llama3_1", ("<|eot_id|>",), "llama3_1"),
    Family("Llama 3.2", "llama3_2", ("<|eot_id|>",), template_kwargs={"date_string": "26 Jul 2024"}),
    Family("Gemma 2", "gemma2", ("<end_of_turn>",), "gemma"),
    Family("Gemma 3", "gemma3", ("<end_of_turn>",)),
    Family("Mistral Nemo", "mistral_nemo"),
    Family("DeepSeek V3", "deepseek_v3"),
    Family(
        "DeepSeek R1 and its distillations",
        "deepseek_v3",
        (),
        "deepseek_r1_distill",
        added=("<think>", "</think>"),
        thinks=True,
    ),
    Family("Phi-3", "llama2", template="phi3", **PHI),  # type: ignore[arg-type]
    Family("Phi-3.5", "llama2", template="phi3_5", **PHI),  # type: ignore[arg-type]
    Family("SmolLM2", "gpt2", (), SMOLLM2, _special("<|im_start|>", "<|im_end|>"), eos="<|im_end|>"),
)
#: Its template ends a turn otherwise than the model does.
REFUSED = Family("gpt-oss", "gptoss", ("<|call|>",), "gptoss")
#: Base models, without a chat template.
BASE = (Family("Llama 2 (base)", "llama2"), Family("Gemma 2 (base)", "gemma2"), Family("GPT-2", "gpt2"))


def absent() -> list[str]:
    """The vocabularies that are not fetched."""
    return missing({family.vocabulary for family in (*FAMILIES, REFUSED, *BASE)})


def messages(
    system: str, answers: Sequence[str] = ANSWERS, observations: Sequence[str] = OBSERVATIONS
) -> list[dict[str, str]]:
    """A conversation of three turns, up to the third."""
    talk = [{"role": "system", "content": system}] if system else []
    talk.append({"role": "user", "content": observations[0]})
    for answer, observation in zip(answers, observations[1:], strict=True):
        talk += [{"role": "assistant", "content": answer}, {"role": "user", "content": observation}]
    return talk


def merged(talk: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The conversation with the system prompt in its first message."""
    system, first, *rest = talk
    return [{"role": "user", "content": f"{system['content']}\n\n{first['content']}"}, *rest]


def thought(answer: str) -> str:
    """An answer after a thought, as a model that thinks writes it."""
    return f"<think>\nhm\n</think>\n\n{answer}"


def stream(
    family: Family,
    system: str,
    tools: Sequence[Any],
    answers: Sequence[str],
    observations: Sequence[str] = OBSERVATIONS,
) -> list[int]:
    """The ids of the episode in a run: the policy's own ids stay as they were sampled."""
    chat = family.frame(bool(tools))
    ids = chat.prompts([system], [observations[0]], tools)[0]
    for answer, observation in zip(answers, observations[1:], strict=True):
        sampled = answer.removeprefix(chat.opened_thought)
        ids += [*_sampled(family.tokenizer, ids, sampled), chat.end_of_turn_id]
        ids += chat.replies([observation], [True])[0]
    return ids


def _sampled(tokenizer: Any, ids: Sequence[int], text: str) -> list[int]:
    """The ids of a text that goes on where others end: SentencePiece marks the beginning of a text, which it is not."""
    before = tokenizer.decode(ids)
    both, alone = tokenizer([before + text, before], add_special_tokens=False)["input_ids"]
    return list(both[len(alone) :])


def compared(family: Family, system: str, tools: Sequence[Any], thinks: bool) -> str:
    """How an episode of three turns differs from the template's own rendering of the conversation.

    Returns:
        "same ids"; "keeps thoughts": the template takes earlier thoughts out of the conversation, or closes none;
        "keeps places": the template moves text to the last message; "no tools": it writes none, which is an error.
    """
    answers = [thought(answer) if thinks else answer for answer in ANSWERS]
    try:
        ids = stream(family, system, tools, answers)
    except ValueError as error:
        if "writes no tools" in str(error):
            return "no tools"
        raise
    talk = messages(system, answers)
    try:
        own = family.rendered(talk, tools)
    except TemplateError:
        own = family.rendered(merged(talk), tools)
    if ids == own:
        return "same ids"
    texts = [_without_thoughts(family.tokenizer.decode(each)) for each in (ids, own)]
    if texts[0] == texts[1]:
        return "keeps thoughts"
    return "keeps places" if sorted(ids) == sorted(own) else f"differs: {family.tokenizer.decode(ids)!r}"


def _without_thoughts(text: str) -> str:
    """A conversation without its thoughts, whether closed or only opened, and without spaces."""
    return re.sub(r"\s", "", re.sub(r"<think>(?:[^<]*</think>)?", "", text))
