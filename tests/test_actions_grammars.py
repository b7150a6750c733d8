"""Grammars: what the agent's text means."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.actions import GRAMMARS, Answer, Invalid, PlainGrammar, ToolCall, XmlGrammar, make_grammar

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
        ('<tool>{"name": "search", "args": []}</tool>', "not a JSON object"),
        ("<tool>" + "[" * 90_000 + "</tool>", "not valid JSON"),
        ("<tool>" + "[" * 200_000 + "</tool>", "longer than"),
    ],
)
def test_what_is_wrong_is_said(text, reason):
    parsed = XmlGrammar().parse(text)
    assert isinstance(parsed, Invalid)
    assert reason in parsed.reason


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("<think>hm</think>Paris", Answer("Paris")),
        ("<think><tool_call>{}</tool_call></think>Paris", Answer("Paris")),
        ('<tool_call>{"name": "search", "arguments": {"query": "capital of France"}}</tool_call>', SEARCH),
    ],
)
def test_hermes_reads_what_is_said_not_thought(text, parsed):
    assert make_grammar("hermes").parse(text) == parsed


@pytest.mark.parametrize("text", ["<think>forever", "", "<tool_call>{"])
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


@given(arguments=st.dictionaries(st.text(max_size=5), st.text(st.characters(exclude_characters="<"), max_size=9)))
def test_xml_carries_any_arguments(arguments):
    assert XmlGrammar().parse(XmlGrammar().call("f", arguments)) == ToolCall("f", arguments)


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
