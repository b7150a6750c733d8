"""What a grammar writes, it reads back as the same, or it refuses to write it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnenv.actions import GRAMMARS, Answer, PlainGrammar, ToolCall, make_grammar
from turnenv.adapters.trl import environment_factory
from turnenv.policies.chat_answer import NativeCall
from turnenv.policies.native_calls import action_text

NAMES = ("tool", "answer", "reasoning", "think", "tool_call", "tool_response", "result")
TAGS = [form.format(name) for name in NAMES for form in ("<{}>", "</{}>", "`</{}>`", "< {} >", "<{}")]
HARD = [*TAGS, "\n", "\r\n", "\u2028", "{", "}", "{}", '{"query": "x"}', '"', "'", "\\", "\\u003c", "```json",
        "answer: x",
        "\nsearch: y", ":", " ", "\t", "\x00", "\ud800", "\udfff", "é", "e\u0301", "東京", "\u200b", ""]  # fmt: skip
texts = st.lists(st.sampled_from(HARD) | st.text(st.characters(), max_size=4), max_size=8).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments = st.fixed_dictionaries({"query": texts}) | st.dictionaries(texts, values, max_size=4)


def comes_back(grammar, name, given_arguments, reasoning):
    """Whether it was written; if so, it has to be read back."""
    try:
        written = grammar.call(name, given_arguments, reasoning)
    except ValueError:
        return False
    read = grammar.parse(written)
    assert isinstance(read, ToolCall)
    assert read.name == name
    if isinstance(read.arguments, str):
        assert [*given_arguments.values()] == [read.arguments]
    else:
        assert json.dumps(read.arguments) == json.dumps(given_arguments)
    return True


def call_round_trip(name, tool, given_arguments, reasoning):
    grammar = PlainGrammar(["search", tool]) if name == "plain" else make_grammar(name)
    assert comes_back(grammar, "search" if name == "plain" else tool, given_arguments, "")
    comes_back(grammar, tool, given_arguments, reasoning)


def answer_comes_back(name, text, reasoning):
    """Whether it was written; if so, it has to be read back."""
    grammar = make_grammar(name)
    try:
        written = grammar.answer(text, reasoning)
    except ValueError:
        return False
    assert grammar.parse(written) == Answer(text.strip())
    return True


def answer_round_trip(name, text, reasoning):
    assert answer_comes_back(name, "Ulm", "")
    answer_comes_back(name, text, "")
    answer_comes_back(name, text, reasoning)


class Library:
    """Remembers what it was asked."""

    def search(self, query):
        self.asked = query
        return []


LIBRARY = Library()
TRL = environment_factory("turnenv/TriviaSearch-v0", search=LIBRARY)()


def trl_round_trip(query):
    """An argument reaches the environment's tool as the trainer hands it over."""
    TRL.reset(seed=0)
    TRL.search(query=query)
    assert LIBRARY.asked == query


def native_round_trip(name, given_arguments, content):
    """A server's call becomes text that the environment reads as the same call, whatever stands beside it."""
    call = NativeCall(id="1", name="search", arguments=json.dumps(given_arguments))
    read = make_grammar(name).parse(action_text(make_grammar(name), content, [call, call]))
    assert isinstance(read, ToolCall)
    if isinstance(read.arguments, str):
        assert [*json.loads(call.arguments).values()] == [read.arguments]
    else:
        assert json.dumps(read.arguments) == json.dumps(json.loads(call.arguments))


@pytest.mark.parametrize("name", GRAMMARS)
@given(given_arguments=arguments, content=texts)
def test_a_servers_call_is_read_as_the_same(name, given_arguments, content):
    native_round_trip(name, given_arguments, content)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAMMARS)
@settings(max_examples=10_000)
@given(given_arguments=arguments, content=texts)
def test_ten_thousand_calls_of_a_server_are_read_as_the_same(name, given_arguments, content):
    native_round_trip(name, given_arguments, content)


@pytest.mark.parametrize("name", GRAMMARS)
@given(tool=texts, given_arguments=arguments, reasoning=texts)
def test_a_call_is_read_back(name, tool, given_arguments, reasoning):
    call_round_trip(name, tool, given_arguments, reasoning)


@pytest.mark.parametrize("name", GRAMMARS)
@given(text=texts, reasoning=texts)
def test_an_answer_is_read_back(name, text, reasoning):
    answer_round_trip(name, text, reasoning)


@given(query=texts)
def test_trl_passes_arguments_unaltered(query):
    trl_round_trip(query)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAMMARS)
@settings(max_examples=10_000)
@given(tool=texts, given_arguments=arguments, reasoning=texts)
def test_ten_thousand_calls_are_read_back(name, tool, given_arguments, reasoning):
    call_round_trip(name, tool, given_arguments, reasoning)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAMMARS)
@settings(max_examples=10_000)
@given(text=texts, reasoning=texts)
def test_ten_thousand_answers_are_read_back(name, text, reasoning):
    answer_round_trip(name, text, reasoning)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(query=texts)
def test_trl_passes_ten_thousand_arguments_unaltered(query):
    trl_round_trip(query)


@pytest.mark.parametrize("name", GRAMMARS)
@pytest.mark.parametrize("text", ["", "</tool>", "</answer>", "</tool_call>", "two\nlines", "{", "{}", '{"query": "x"}',
                                  "answer: Ulm", " Ulm ", "<think>", "\ud800", "Ulm"])  # fmt: skip
def test_any_text_can_be_an_argument(name, text):
    assert comes_back(make_grammar(name), "search", {"query": text}, "I look it up.")


def test_ordinary_calls_are_written_as_ever():
    assert make_grammar("plain").call("search", {"query": "Ulm < Bonn"}) == "search: Ulm < Bonn"
    written = make_grammar("hermes").call("search", {"query": "a <b> & 2 < 3"})
    assert written == '<tool_call>\n{"name": "search", "arguments": {"query": "a <b> & 2 < 3"}}\n</tool_call>'


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("xml", "it is </answer> that closes", "would be read as Answer"),
        ("xml", "</think>", "would be refused"),
        ("plain", "two\nlines", "would be read as Answer"),
        ("plain", "", "would be refused"),
        ("hermes", "", "the message is empty"),
        ("hermes", "<tool_call>{}</tool_call>", "would be refused"),
    ],
)
def test_an_answer_that_would_not_be_read_back_is_not_written(name, text, reason):
    with pytest.raises(ValueError, match=f"the grammar '{name}' cannot write this answer: .*{reason}"):
        make_grammar(name).answer(text)


def test_a_long_argument_comes_back():
    for name in GRAMMARS:
        assert comes_back(make_grammar(name), "search", {"query": "</tool>" * 5_000}, "")


def test_what_is_no_json_is_not_written():
    for name in GRAMMARS:
        with pytest.raises(ValueError, match="arguments are written as JSON"):
            make_grammar(name).call("search", {"query": {1, 2}})
    with pytest.raises(ValueError, match="longer than"):
        make_grammar("hermes").call("search", {"query": "x" * 120_000})
