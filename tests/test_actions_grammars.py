"""Grammars: what the agent's text means."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.actions import (
    GRAMMARS,
    Answer,
    HermesGrammar,
    Invalid,
    PlainGrammar,
    ToolCall,
    XmlGrammar,
    make_grammar,
)

SEARCH = ToolCall("search", {"query": "capital of France"})


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_rendered_call_and_answer_read_back(name):
    grammar = make_grammar(name)
    call = grammar.parse(grammar.call("search", {"query": "capital of France"}, "I should look it up."))
    assert call in (SEARCH, ToolCall("search", "capital of France"))
    assert grammar.parse(grammar.answer("Paris", "Now I know.")) in (
        Answer("Paris"),
        Answer("Now I know.\nanswer: Paris"),
    )


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_result_forged_by_the_agent_is_text(name):
    grammar = make_grammar(name)
    forged = grammar.call("search", {"query": "capital of France"}) + "\n" + grammar.result("Paris")
    assert isinstance(grammar.parse(forged), ToolCall)
    assert not isinstance(grammar.parse(grammar.result("Paris")), ToolCall)


def test_the_first_complete_action_counts():
    xml = XmlGrammar()
    both = xml.call("search", {"query": "capital of France"}) + xml.result("Paris") + xml.answer("Paris")
    assert xml.parse(both) == SEARCH
    assert xml.parse(xml.answer("Rome") + both) == Answer("Rome")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("hello", "no action found"),
        ("<tool>{", "never closed"),
        ("<answer>Paris", "never closed"),
        ("<tool>search France</tool>", "not valid JSON"),
        ("<tool>[1]</tool>", "names no tool"),
        ('<tool>{"args": {}}</tool>', "names no tool"),
        ('<tool>{"name": "search", "args": []}</tool>', "'args' is not a JSON object"),
        ('<tool>{"name": "search", "query": "Ulm"}</tool>', "'query' stands beside 'name', not inside 'args'"),
        ('<tool>{"name": "search", "args": {"a": 1}, "input": {"b": 2}}</tool>', "under 'args' and under 'input'"),
        ('<tool>{"tool": "search", "args": {}}</tool>', "the tool's name stands under 'tool', not under 'name'"),
        ('<tool>```json\n{"name": "search", "args": {}}\n```</tool>', "in a code fence"),
        ("<tool>{'name': 'search', 'args': {}}</tool>", "double quotes, not single"),
        ('<tool>{"name": "search", "args": {"query": "Ulm",}}</tool>', "a comma stands before a closing bracket"),
        ('<tool>{"name": "search", "args": {"query": None}}</tool>', "true, false and null"),
        ('<tool>{"name": "search", "args": {"query": "a\nb"}}</tool>', "a line break inside a string"),
        ("<Tool>{}</Tool>", "the tag <tool> has small letters and no spaces"),
        ("<answer >Paris</answer>", "the tag <answer> has small letters and no spaces"),
        ("<reasoning>I think <answer>Paris</answer>", "<reasoning> was opened but never closed: write </reasoning>"),
        ("<think>I think <answer>Paris</answer>", "<think> was opened but never closed: write </think>"),
        ("<reasoning><answer>Paris</answer></reasoning>", "what stands inside the reasoning is not done"),
        ("<tool>" + "[" * 90_000 + "</tool>", "not valid JSON"),
        ("<tool>" + "[" * 200_000 + "</tool>", "longer than"),
    ],
)
def test_what_is_wrong_is_said(text, reason):
    parsed = XmlGrammar().parse(text)
    assert isinstance(parsed, Invalid)
    assert reason in parsed.reason


CALLS = {"xml": XmlGrammar().call, "hermes": HermesGrammar().call, "plain": PlainGrammar().call}
ULM, BONN = {"query": "Ulm"}, {"query": "Bonn"}


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize(
    ("form", "found"),
    [
        ("<think>\nHm.\n</think>\n\n{call}", "call"),
        ("<think>Not {other}.</think>\n{call}", "call"),
        ("Not {other} but this:\n</think>\n\n{call}", "call"),
        ("Not {other} and not\n</think>\n{other}\n</think>\n\n{call}", "call"),
        ("<think>One <think>{other}</think>\n{other}</think>\n{call}", "call"),
        ("<think>One</think>\n<think>{other}</think>\n{call}", "call"),
        ("<think>I end with `</think>`, not {other}</think>\n{call}", "call"),
        ("< THINK >{other}</ Think >\n{call}", "call"),
        ("<think>Hm.</think>\n{call}\n</think>", "call"),
        ("{call}\n<think>And now", "call"),
        ("{call}\n{other}", "call"),
        ("<think>{other}", None),
        ("<think>Hm.</think>\n<think>\n{other}\n", None),
    ],
)
def test_thinking_holds_no_action(name, form, found):
    call, other = (CALLS[name]("search", query) for query in (ULM, BONN))
    parsed = make_grammar(name).parse(form.format(call=call, other=f"\n{other}\n"))
    if found is None:
        assert isinstance(parsed, Invalid)
        assert "<think> was opened but never closed" in parsed.reason
    else:
        assert parsed in (ToolCall("search", ULM), ToolCall("search", "Ulm"))


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("<think>hm</think>Paris", Answer("Paris")),
        ("<think><tool_call>{}</tool_call></think>Paris", Answer("Paris")),
        ("It may be Lyon.\n</think>\n\nParis", Answer("Paris")),
        ("Paris", Answer("Paris")),
        ("I write `<tool_call>` for calls.", Answer("I write `<tool_call>` for calls.")),
        ('<tool_call>{"name": "search", "arguments": {"query": "capital of France"}}</tool_call>', SEARCH),
        ('I use `<tool_call>`: <tool_call>\n{"name": "search", "arguments": {"query": "Ulm"}}\n</tool_call>.',
         ToolCall("search", ULM)),
        ('<tool_call><tool_call>{"name": "search", "arguments": {"query": "Ulm"}}</tool_call></tool_call>',
         ToolCall("search", ULM)),
        ('<tool_call>{"name": "search", "arguments": {"query": "</tool_call> and </think>"}}</tool_call>',
         ToolCall("search", {"query": "</tool_call> and </think>"})),
        *((f'<tool_call>{{"name": "search", "{key}": {{"query": "Ulm"}}}}</tool_call>', ToolCall("search", ULM))
          for key in ("arguments", "args", "parameters", "params", "input", "kwargs")),
        ('<tool_call>{"name": "search", "arguments": {}, "parameters": {"query": "Ulm"}}</tool_call>',
         ToolCall("search", ULM)),
        ('<tool_call>{"id": 1, "name": "now"}</tool_call>', ToolCall("now", {})),
    ],
)  # fmt: skip
def test_hermes_reads_what_is_said_not_thought(text, parsed):
    assert make_grammar("hermes").parse(text) == parsed


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("<reasoning>Not <answer>Lyon</answer></reasoning><answer>Paris</answer>", Answer("Paris")),
        ("Not <answer>Lyon</answer></reasoning>\n<answer>Paris</answer>", Answer("Paris")),
        ("<think>Not <tool>{}</tool></think><reasoning>So:</reasoning><answer>Paris</answer>", Answer("Paris")),
        ("<think>First <reasoning>, then</think>\n<answer>Paris</answer>", Answer("Paris")),
        ("<reasoning>So.</reasoning><answer>Paris</answer></reasoning>", Answer("Paris")),
        ("<answer>Not <answer>Paris</answer>", Answer("Not <answer>Paris")),
        ("<answer>Not <think>so</think> Paris</answer>", Answer("Not <think>so</think> Paris")),
        ("I write <answer> at the end.</think><answer>Paris</answer>", Answer("Paris")),
        ("<reasoning>I write <answer> at the end.</reasoning><answer>Paris</answer>", Answer("Paris")),
        ("It goes into `<answer>`. <answer>\nParis\n</answer>", Answer("Paris")),
        ('<answer>Ulm, <tool>{"name": "search"}</tool></answer>', Answer('Ulm, <tool>{"name": "search"}</tool>')),
        ('<tool>{"name": "search", "args": {"query": "<answer>Bonn</answer>"}}</tool>',
         ToolCall("search", {"query": "<answer>Bonn</answer>"})),
        ('<tool>{"name": "search", "arguments": {"query": "Ulm"}}</tool>', ToolCall("search", ULM)),
        ('<tool> {"name": "search", "args": {"query": "</tool>"}} </tool> …', ToolCall("search", {"query": "</tool>"})),
    ],
)  # fmt: skip
def test_xml_reads_structure(text, parsed):
    assert XmlGrammar().parse(text) == parsed


@pytest.mark.parametrize(
    "text", ["<think>forever", "", "<tool_call>{", "<think>hm</think>", "<Tool_Call>{}</Tool_Call>"]
)
def test_hermes_refuses_silence(text):
    assert isinstance(make_grammar("hermes").parse(text), Invalid)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("search: France", ToolCall("search", "France")),
        ('search: {"query": "France"}', ToolCall("search", {"query": "France"})),
        ("search: {broken", ToolCall("search", "{broken")),
        ("thought: hm\n Answer: Paris", Answer("Paris")),
        ("calculator: 1+1", None),
        ("answer:", None),
        ("<think>\nanswer: Lyon\n</think>\nanswer: Paris", Answer("Paris")),
        ("answer: Lyon\n</think>answer: Paris", Answer("Paris")),
    ],
)
def test_plain(text, parsed):
    got = PlainGrammar().parse(text)
    assert isinstance(got, Invalid) if parsed is None else got == parsed


def test_format_scores_golden():
    xml = XmlGrammar()
    assert xml.format_scores(xml.answer("Paris", "I know.")) == {"xml_format": 1.0, "xml_tags": 1.0}
    assert xml.format_scores("") == {"xml_format": 0.0, "xml_tags": 0.0}
    assert xml.format_scores("</answer>")["xml_format"] == 0.0
    assert xml.format_scores("garbage") == {"xml_format": 0.0, "xml_tags": 0.0}
    # One of two blocks (0.2), on lines of its own (0.2), ends well (0.2); two of four tags.
    bare = xml.format_scores("<answer>\nParis\n</answer>")
    assert bare == pytest.approx({"xml_format": 0.6, "xml_tags": 0.5})
    # Both blocks (0.4), not on lines of their own, starts (0.2) but does not end well.
    trailing = xml.format_scores("<reasoning>x</reasoning><answer>Paris</answer> and more")
    assert trailing == pytest.approx({"xml_format": 0.6, "xml_tags": 1.0})
    doubled = xml.format_scores(xml.answer("Paris") + xml.answer("Paris"))
    assert doubled["xml_tags"] == 0.0


@pytest.mark.parametrize("name", GRAMMARS)
@given(text=st.text() | st.text("<>/toolanswer_c{}\"':[] \n"))
def test_any_text_is_read_and_scored(name, text):
    grammar = make_grammar(name)
    assert isinstance(grammar.parse(text), ToolCall | Answer | Invalid)
    assert all(0.0 <= score <= 1.0 for score in grammar.format_scores(text).values())


def test_instructions_hold_a_call_that_can_be_made():
    schema = {"type": "object", "properties": {"query": {"type": "string", "description": "what for"}}}
    tools = [{"type": "function", "function": {"name": "search", "description": "Search.", "parameters": schema}}]
    for name in GRAMMARS:
        text = make_grammar(name).instructions(tools)
        assert "search" in text
        assert "what for" in text
    example = json.loads(XmlGrammar().instructions(tools).split("such as ")[1].split(". The result")[0])
    assert example["name"] == "search"


def test_an_unknown_grammar_is_named():
    with pytest.raises(ValueError, match="did you mean 'hermes'"):
        make_grammar("herms")


@pytest.mark.parametrize("name", GRAMMARS)
def test_scores_take_what_was_parsed(name, monkeypatch):
    grammar = make_grammar(name)
    texts = ("", "Paris", grammar.answer("Paris"), grammar.call("search", ULM), grammar.call("search", ULM) + ".")
    expected = [(parsed := grammar.parse(text), grammar.format_scores(text)) for text in texts]
    monkeypatch.setattr(type(grammar), "parse", None)
    assert [grammar.format_scores(text, parsed) for text, (parsed, _) in zip(texts, expected, strict=True)] == [
        scores for _, scores in expected
    ]
    assert parsed == expected[-1][0]


TAGS = ("tool", "tool_call", "answer", "reasoning", "think")
PIECES = [f"<{end}{tag}>" for tag in TAGS for end in ("", "/")] + ["x", "`", " ", "\n", "{"]
PIECES += ['{"name": "f", "args": {"a": 1}}', '{"name": "f", "arguments": {}}']


@pytest.mark.parametrize("grammar", [XmlGrammar, HermesGrammar])
@given(text=st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_the_quick_reading_of_ordinary_messages_is_the_thorough_one(grammar, text):
    thorough = type("Thorough", (grammar,), {"_ORDINARY": re.compile("(?!)")})
    assert grammar().parse(text) == thorough().parse(text)


def test_long_texts_are_parsed_at_once():
    """A hundred kilobytes of each pair of pieces: time that grew with the square would be many seconds."""
    pieces = [*PIECES, "`<tool>`", "< ", '<tool>{"name": "', '"}']
    for first in pieces:
        for second in ("", "</tool>", "</tool_call>", '"}', "</think>", "{"):
            text = (first + second) * (100_000 // len(first + second))
            began = time.thread_time()
            for name in GRAMMARS:
                make_grammar(name).parse(text + "</tool></tool_call></answer>")
            assert time.thread_time() - began < 1.0, (first, second)
