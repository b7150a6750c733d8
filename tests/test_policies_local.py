"""ChatPolicy: what is recorded of an episode is exactly what the model read and sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from key_world import EOS, KeyEnv, byte_tokenizer, logprobs_of, tiny_model, word_tokenizer
from test_policies_chat_frame import QWEN

from turnenv import Episode, Reply, TextEnv, collect
from turnenv.policies.generation import TurnSampler
from turnenv.policies.token_stream import Sampled
from turnenv.training import ChatPolicy, TokenStream

pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing:FutureWarning")


class Library(TextEnv[dict[str, Any]]):
    """Answers the first turn with whatever `result` says, whatever was asked."""

    max_turns = 2

    def __init__(self, result: str = "obs 1") -> None:
        super().__init__()
        self.result = result

    def start(self, rng: np.random.Generator, options: Any) -> tuple[dict[str, Any], str]:
        return {}, "key 2"

    def respond(self, state: dict[str, Any], action: str, rng: np.random.Generator) -> Reply:
        return Reply.turn(self.result)


def play(env: Any, policy: ChatPolicy, seeds: Sequence[int], seed: int = 0) -> list[Episode]:
    torch.manual_seed(seed)
    return collect(env, policy, seeds)


def turns_of(stream: TokenStream) -> list[list[int]]:
    turns: list[list[int]] = [[] for _ in range(max(stream.turn_of) + 1)]
    for token, turn in zip(stream.completion_ids, stream.turn_of, strict=True):
        if turn >= 0:
            turns[turn].append(token)
    return turns


def test_streams_hold_the_episodes_of_unequal_length() -> None:
    policy = ChatPolicy(tiny_model(), word_tokenizer(), max_turn_tokens=4)
    episodes = play(KeyEnv, policy, [0] * 8 + [1] * 8)
    assert len({len(episode.turns) for episode in episodes}) == 3
    for episode, stream in zip(episodes, policy.streams, strict=True):
        assert turns_of(stream) == [list(turn.token_ids or ()) for turn in episode.turns]
        assert len(stream.completion_ids) == len(stream.turn_of) == len(stream.logprobs)
        assert stream.turn_of[-1] == len(episode.turns) - 1
        flat = [logprob for turn in episode.turns for logprob in turn.logprobs or ()]
        assert [value for value, turn in zip(stream.logprobs, stream.turn_of, strict=True) if turn >= 0] == flat


def test_recorded_logprobs_are_those_of_one_forward_pass_over_the_stream() -> None:
    model = tiny_model()
    policy = ChatPolicy(model, word_tokenizer(), max_turn_tokens=4)
    play(KeyEnv, policy, [0] * 6 + [1] * 3 + [2])
    for stream in policy.streams:
        expected = logprobs_of(model, stream.prompt_ids, stream.completion_ids).tolist()
        for value, turn, due in zip(stream.logprobs, stream.turn_of, expected, strict=True):
            assert value == (pytest.approx(due, abs=2e-5) if turn >= 0 else 0.0)


def test_ids_are_never_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = byte_tokenizer(QWEN)
    tokenizer_eos = tokenizer.convert_tokens_to_ids("<|im_end|>")
    model = tiny_model(len(tokenizer), eos_token_id=tokenizer_eos)
    sampled: dict[int, list[list[int]]] = {}
    turn = TurnSampler.turn

    def spy(self: TurnSampler, rows: Sequence[int], *args: Any) -> list[Sampled]:
        turns = turn(self, rows, *args)
        for row, one in zip(rows, turns, strict=True):
            sampled.setdefault(row, []).append(list(one.ids))
        return turns

    monkeypatch.setattr(TurnSampler, "turn", spy)
    policy = ChatPolicy(model, tokenizer, max_turn_tokens=12)
    play(Library, policy, [0] * 8)
    drifted = 0
    for row, stream in enumerate(policy.streams):
        assert turns_of(stream) == sampled[row]
        drifted += sum(tokenizer.encode(policy.frame.text(ids)) != ids for ids in sampled[row])
    assert drifted > 8


def test_a_turn_cut_at_its_cap_is_closed_by_the_environment() -> None:
    tokenizer = word_tokenizer()
    policy = ChatPolicy(tiny_model(), tokenizer, max_turn_tokens=2)
    play(Library, policy, range(16))
    frame = tokenizer.convert_tokens_to_ids("<|im_start|> user obs 1 <|im_end|> <|im_start|> assistant".split())
    cut = 0
    for stream in policy.streams:
        first, second = turns_of(stream)
        between = frame if first[-1] == EOS else [EOS, *frame]
        cut += first[-1] != EOS
        assert stream.completion_ids == [*first, *between, *second]
        assert stream.turn_of == [0] * len(first) + [-1] * len(between) + [1] * len(second)
    assert 0 < cut < 16


def test_what_the_environment_says_is_attended() -> None:
    model = tiny_model()
    policy = ChatPolicy(model, word_tokenizer(), max_turn_tokens=4)
    play(Library, policy, [0])
    stream = policy.streams[0]
    told = stream.turn_of.index(-1) + stream.completion_ids[stream.turn_of.index(-1) :].index(word_id("1"))
    answer = [position for position, turn in enumerate(stream.turn_of) if turn == 1]
    changed = list(stream.completion_ids)
    changed[told] = word_id("3")
    before = logprobs_of(model, stream.prompt_ids, stream.completion_ids)
    after = logprobs_of(model, stream.prompt_ids, changed)
    assert (before[answer] - after[answer]).abs().min() > 1e-4
    assert torch.equal(before[:told], after[:told])


def word_id(word: str) -> int:
    return int(word_tokenizer().convert_tokens_to_ids(word))


def test_stop_strings_end_a_turn_and_keep_its_tokens() -> None:
    policy = ChatPolicy(tiny_model(), word_tokenizer(), max_turn_tokens=50, stop_strings=["ok"])
    episodes = play(Library, policy, range(16))
    texts = [turn.action for episode in episodes for turn in episode.turns]
    assert any(text.split()[-1:] == ["ok"] for text in texts)
    assert not any("ok" in text.split()[:-1] for text in texts)


def test_a_full_context_ends_in_silence_and_loses_nothing() -> None:
    model = tiny_model(max_position_embeddings=40)
    policy = ChatPolicy(model, word_tokenizer(), max_turn_tokens=15)
    env = lambda: LongTalk()  # noqa: E731
    episodes = play(env, policy, range(8))
    for episode, stream in zip(episodes, policy.streams, strict=True):
        assert len(episode.turns) == 6
        assert len(stream) <= 40
        assert [turn.token_ids for turn in episode.turns][: len(turns_of(stream))] == [
            tuple(ids) for ids in turns_of(stream)
        ]
        assert episode.turns[-1].action == ""
        assert episode.turns[-1].token_ids == ()
        assert stream.turn_of[-1] >= 0


class LongTalk(Library):
    max_turns = 6


def test_a_prompt_that_fills_the_context_is_refused() -> None:
    policy = ChatPolicy(tiny_model(max_position_embeddings=8), word_tokenizer())
    with pytest.raises(ValueError, match="the prompt has 12 tokens and the model's context is 8"):
        play(KeyEnv, policy, [0])


def test_the_model_keeps_its_mode_and_gradient_checkpointing_does_no_harm() -> None:
    model = tiny_model()
    policy = ChatPolicy(model, word_tokenizer(), max_turn_tokens=4)
    play(KeyEnv, policy, [0, 0, 1])
    plain = policy.streams
    model.gradient_checkpointing_enable()
    model.train()
    play(KeyEnv, policy, [0, 0, 1])
    assert model.training
    assert policy.streams == plain


def test_a_generator_of_ones_own_repeats_an_episode() -> None:
    model, tokenizer = tiny_model(), word_tokenizer()

    def streams(seed: int) -> list[TokenStream]:
        policy = ChatPolicy(model, tokenizer, max_turn_tokens=8, generator=torch.Generator().manual_seed(seed))
        collect(KeyEnv, policy, [0, 1, 2])
        return policy.streams

    assert streams(0) == streams(0)
    assert streams(0) != streams(1)


def test_a_turn_needs_a_token() -> None:
    with pytest.raises(ValueError, match="max_turn_tokens=0"):
        ChatPolicy(tiny_model(), word_tokenizer(), max_turn_tokens=0)
