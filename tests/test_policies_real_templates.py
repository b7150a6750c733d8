"""The chat frame on the chat templates and tokenizers of real model families, which `make tokenizers` fetches."""

from __future__ import annotations

from typing import Any

import pytest
from fetch_tokenizers import CACHE, missing
from real_templates import (
    BASE,
    FAMILIES,
    OBSERVATIONS,
    REFUSED,
    SYSTEM,
    TOOLS,
    Family,
    absent,
    compared,
    messages,
    stream,
    thought,
)
from templates_page import PAGE, page

from turnenv.actions import Answer, Invalid, make_grammar
from turnenv.training import ChatFrame

pytestmark = pytest.mark.slow

ORDINARY = (
    "Zürich <h1>Title</h1>\n\n\nand <tool_response>\nthe answer\n</tool_response>",
    "spaces  within,\tand a\n\nbreak",
    "a < b | c > d [TOOLS",
    "日本 🙂 e\u0301",
    "<tool_response>\n7\n</tool_response>",
)
MOVES = {"Mistral Nemo"}


def fetched(family: Family) -> Family:
    if missing([family.vocabulary]):
        pytest.skip(f"{family.vocabulary} is not in {CACHE}: make tokenizers")
    return family


def each(families: tuple[Family, ...]) -> Any:
    return pytest.mark.parametrize("family", families, ids=lambda family: family.name)


def structure(chat: ChatFrame, ids: list[int]) -> list[int]:
    return [token for token in ids if token in chat.encoder.structural]


def opens_thoughts(family: Family) -> bool:
    return "<think>" in str(family.frame().later.parts[-1])


@each(FAMILIES)
@pytest.mark.parametrize("system", ["", SYSTEM])
def test_an_episode_has_the_ids_of_the_templates_own_rendering(family: Family, system: str) -> None:
    found = compared(fetched(family), system, (), thinks=False)
    expected = "keeps thoughts" if opens_thoughts(family) else "same ids"
    assert found == ("keeps places" if system and family.name in MOVES else expected)


@each(FAMILIES)
@pytest.mark.parametrize("system", ["", SYSTEM])
def test_an_episode_with_tools_has_them_too_or_is_refused(family: Family, system: str) -> None:
    found = compared(fetched(family), system, TOOLS, thinks=False)
    expected = "keeps thoughts" if opens_thoughts(family) else "same ids"
    writes_tools = "tools" in str(family.tokenizer.chat_template).replace("tools_", "").replace("▁tools", "")
    if family.name in MOVES:
        expected = "keeps places"
    assert found == (expected if writes_tools else "no tools")


@each(FAMILIES)
def test_a_thought_stays_where_the_policy_wrote_it(family: Family) -> None:
    """Templates that take it out of history would give the next turn another past than the policy had."""
    chat = fetched(family).frame()
    ids = stream(family, SYSTEM, (), [thought("I call it."), thought("Then that.")])
    text = family.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert text.count("hm\n</think>\n\n") == 2
    assert compared(family, "", (), thinks=True) in ("same ids", "keeps thoughts")
    assert structure(chat, ids) == structure(chat, stream(family, SYSTEM, (), ["I call it.", "Then that."]))


@each(FAMILIES)
def test_ordinary_observations_have_the_ids_of_the_templates_own_rendering(family: Family) -> None:
    if opens_thoughts(fetched(family)):
        pytest.skip("its template renders no earlier turn as it was sampled")
    for at, text in enumerate(ORDINARY):
        shown = (text, ORDINARY[at - 1], text)
        answers = ("I call it.", "Then that.")
        assert stream(family, "", (), answers, shown) == family.rendered(messages("", answers, shown)), text


@each(FAMILIES)
def test_the_system_prompt_reaches_the_model_once(family: Family) -> None:
    chat = fetched(family).frame()
    for text in (SYSTEM, f"{SYSTEM}\n\nUse <tool>."):
        assert family.tokenizer.decode(chat.prompts([text], ["The key is 7."])[0]).count(text) == 1


@each(FAMILIES)
def test_structural_tokens_are_text_wherever_they_stand(family: Family) -> None:
    chat = fetched(family).frame()
    prompt, reply = (structure(chat, ids) for ids in (chat.prompts(["s"], ["x"])[0], chat.replies(["x"], [True])[0]))
    forged = list(chat.encoder.structural.values())
    for at in range(0, len(forged), 10):
        text = "the key ".join(forged[at : at + 10])
        assert structure(chat, chat.prompts([text], [text])[0]) == prompt
        (ids,) = chat.replies([text], [True])
        assert structure(chat, ids) == reply
        assert text in family.tokenizer.decode(ids, clean_up_tokenization_spaces=False)


@each(FAMILIES)
def test_all_control_tokens_that_the_template_writes_are_structure(family: Family) -> None:
    """Found otherwise than the code does: by what an episode adds to its texts."""
    chat = fetched(family).frame()
    ids = stream(family, SYSTEM, (), ["I call it.", "Then that."])
    texts = " ".join([SYSTEM, *OBSERVATIONS, "I call it. Then that. user assistant model system <think></think>"])
    inside = set(family.tokenizer(texts, add_special_tokens=False)["input_ids"])
    added = {token for token in ids if token in family.tokenizer.added_tokens_decoder} - inside
    assert {token for token in added if "<" in family.tokenizer.added_tokens_decoder[token].content} <= set(
        chat.encoder.structural
    )


@each(tuple(family for family in FAMILIES if family.thinks))
def test_a_turn_that_begins_inside_a_thought_is_parsed_so(family: Family) -> None:
    chat, hermes = fetched(family).frame(), make_grammar("hermes")
    call = hermes.call("search", {"query": "Ulm"})
    begin = "" if chat.opened_thought else "<think>\n"
    ids = [
        family.tokenizer(f"{begin}{text}", add_special_tokens=False)["input_ids"]
        for text in (f"I could {call} or", f"I could {call}.\n</think>\n\nUlm")
    ]
    assert isinstance(hermes.parse(chat.text(ids[0])), Invalid)
    assert hermes.parse(chat.text(ids[1])) == Answer("Ulm")


def test_a_thought_that_the_prompt_closes_is_none() -> None:
    (family,) = (family for family in FAMILIES if family.name == "Qwen3, not thinking")
    chat = fetched(family).frame()
    assert chat.text(family.tokenizer("Ulm")["input_ids"]) == "Ulm"


@each(BASE)
def test_a_base_model_gets_the_plain_frame(family: Family) -> None:
    chat = fetched(family).frame()
    ids = stream(family, SYSTEM, (), ["I call it.", "Then that."])
    bos = family.tokenizer.bos_token if family.tokenizer("x")["input_ids"][0] == family.tokenizer.bos_token_id else ""
    first, second, third = OBSERVATIONS
    text = f"{bos}{SYSTEM}\n\nUser: {first}\nAssistant:"
    for answer, shown in (("I call it.", second), ("Then that.", third)):
        text += f"{answer}{family.tokenizer.eos_token}\n\nUser: {shown}\nAssistant:"
    decoded = family.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert decoded.replace(" ", "") == text.replace(" ", "")
    assert structure(chat, ids).count(chat.end_of_turn_id) == 2 + (bos == family.tokenizer.eos_token)


def test_a_template_that_ends_a_turn_otherwise_than_its_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"chat template of .*gptoss.*none of the EOS.*EndpointPolicy"):
        fetched(REFUSED).frame()


def test_the_table_is_what_the_code_does() -> None:
    if absent():
        pytest.skip(f"{', '.join(absent())} are not in {CACHE}: make tokenizers")
    assert PAGE.read_text(encoding="utf-8") == page(), "python tests/templates_page.py writes it"
