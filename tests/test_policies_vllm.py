"""VLLMPolicy on a stand-in for vLLM: ids, budgets, seeds, the prefix cache, and episodes that do not wait."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from key_world import EOS, KeyEnv, logprobs_of, tiny_model, word_tokenizer
from stand_in_vllm import LLM, stand_in
from test_policies_local import turns_of
from transformers import AutoModelForCausalLM

from turnenv import collect
from turnenv.policies import PacedPolicy
from turnenv.training import ChatPolicy
from turnenv.training.vllm_on_cpu import reload_weights, weights_of

__all__ = ["stand_in"]
SEEDS = [0] * 6 + [1] * 3 + list(range(2, 9))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    tiny_model(tie_word_embeddings=True).save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)
    return str(tmp_path)


@pytest.fixture
def load(stand_in: type[LLM], folder: str) -> Any:
    def policy(**options: Any) -> Any:
        from turnenv.policies.vllm import VLLMPolicy, load_engine

        llm = options.pop("llm", None) or load_engine(folder, block_size=4)
        return VLLMPolicy(llm, word_tokenizer(), **{"max_turn_tokens": 4, **options})

    return policy


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_turn_tokens": 1},
        {"max_episode_tokens": 20},
        {"stop_strings": ("2", "say key")},
        {"max_turn_tokens": 12, "stop_strings": ("ok",)},
    ],
)
def test_greedy_episodes_are_those_of_the_local_policy(load: Any, folder: str, options: dict[str, Any]) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    local = ChatPolicy(model, word_tokenizer(), **{"max_turn_tokens": 4, "temperature": 0.0, **options})
    policy = load(temperature=0.0, **options)
    assert isinstance(policy, PacedPolicy)
    env = lambda: KeyEnv(max_turns=6)  # noqa: E731
    for left, right in zip(collect(env, local, SEEDS), collect(env, policy, SEEDS), strict=True):
        assert left.outcome == right.outcome
        assert [(turn.action, turn.token_ids) for turn in left.turns] == [
            (turn.action, turn.token_ids) for turn in right.turns
        ]
    for row, stream in enumerate(local.streams):
        assert policy.streams[row].prompt_ids == stream.prompt_ids
        assert policy.streams[row].completion_ids == stream.completion_ids
        assert policy.streams[row].turn_of == stream.turn_of
        assert policy.streams[row].logprobs == pytest.approx(stream.logprobs, abs=2e-5)


def test_an_episode_that_fills_the_context_goes_on_in_silence(load: Any, folder: str) -> None:
    from turnenv.policies.vllm import load_engine

    class Long(KeyEnv):
        def respond(self, state: dict[str, Any], action: str, rng: Any) -> Any:
            return super().respond(state, "0", rng)

    llm = load_engine(folder, max_model_len=40, block_size=4)
    policy = load(llm=llm)
    (episode,) = collect(lambda: Long(max_turns=12), policy, [0])
    assert len(episode.turns) == 12
    assert episode.turns[-1].token_ids == ()
    assert len(policy.streams[0]) <= 40


def test_recorded_log_probabilities_are_those_of_the_distribution_that_was_drawn_from(load: Any, folder: str) -> None:
    policy = load(temperature=0.7, seed=3)
    collect(KeyEnv, policy, SEEDS)
    model = AutoModelForCausalLM.from_pretrained(folder)
    hot = lambda **given: type("Out", (), {"logits": model(**given).logits / 0.7})  # noqa: E731
    for row in range(len(SEEDS)):
        stream = policy.streams[row]
        due = logprobs_of(hot, stream.prompt_ids, stream.completion_ids).tolist()  # type: ignore[arg-type]
        for value, turn, expected in zip(stream.logprobs, stream.turn_of, due, strict=True):
            assert value == (pytest.approx(expected, abs=2e-5) if turn >= 0 else 0.0)


def test_the_streams_of_a_group_belong_to_its_rows(load: Any) -> None:
    policy = load()
    episodes = collect(KeyEnv, policy, [0] * 16)
    streams = [policy.streams[row] for row in range(16)]
    assert len({tuple(stream.completion_ids) for stream in streams}) > 8
    for episode, stream in zip(episodes, streams, strict=True):
        assert turns_of(stream) == [list(turn.token_ids or ()) for turn in episode.turns]


def sampled(policy: Any, seeds: Sequence[int] = range(8)) -> list[list[int]]:
    collect(KeyEnv, policy, seeds)
    return [policy.streams[row].completion_ids for row in range(len(seeds))]


def test_each_turn_has_a_seed_of_its_own_and_runs_repeat(load: Any) -> None:
    policy = load(seed=1)
    first = sampled(policy)
    asked = policy._batch._engine.asked
    assert len({params.seed for params in asked}) == len(asked) > 8
    assert sampled(policy) != first, "the second time an episode is played it is another"
    assert sampled(load(seed=1)) == first
    assert sampled(load(seed=1, concurrency=1)) == first
    assert sampled(load(seed=2)) != first


def test_each_request_has_its_own_budget(load: Any) -> None:
    policy = load(max_turn_tokens=4, max_episode_tokens=15)
    collect(lambda: KeyEnv(max_turns=6), policy, SEEDS)
    budgets = {params.max_tokens for params in policy._batch._engine.asked}
    assert max(budgets) == 4
    assert min(budgets) < 4
    assert all(len(stream.completion_ids) <= 15 for stream in policy.streams.values())
    assert all(params.stop_token_ids == [EOS] and params.ignore_eos for params in policy._batch._engine.asked)


def test_no_episode_waits_for_the_environment_of_another(load: Any) -> None:
    others = threading.Event()

    class Slow(KeyEnv):
        def respond(self, state: dict[str, Any], action: str, rng: Any) -> Any:
            if self.np_random_seed == 0:
                assert others.wait(30.0), "the other episodes wait for this one"
            return super().respond(state, action, rng)

    ended: list[int] = []

    def finished(row: int, _: Any) -> None:
        ended.append(row)
        if len(ended) == 7:
            others.set()

    policy = load(seed=1)
    collect(Slow, policy, range(8), on_finished=finished)
    assert sorted(ended) == list(range(8))
    assert ended[-1] == 0
    assert max(policy._batch._engine.batches) > 1, "turns share steps"


def test_later_turns_read_the_prefix_cache_and_never_that_of_other_weights(load: Any, folder: str) -> None:
    policy = load(seed=1)
    llm = LLM.made[-1]
    episodes = collect(KeyEnv, policy, SEEDS)
    later = [turn.usage.cached for episode in episodes for turn in episode.turns[1:] if turn.usage]
    assert later
    assert min(later) >= 4
    model = tiny_model(seed=5, tie_word_embeddings=True)
    reload_weights(llm, weights_of(model, model.named_parameters()))  # type: ignore[arg-type]
    collect(KeyEnv, policy, SEEDS)
    assert llm.llm_engine.stale == 0
    stream = policy.streams[0]
    due = logprobs_of(model, stream.prompt_ids, stream.completion_ids).tolist()
    assert [value for value, turn in zip(stream.logprobs, stream.turn_of, strict=True) if turn >= 0] == pytest.approx(
        [value for value, turn in zip(due, stream.turn_of, strict=True) if turn >= 0], abs=2e-5
    )
    llm.llm_engine.version += 1
    collect(KeyEnv, policy, SEEDS)
    assert llm.llm_engine.stale > 0, "the stand-in notices a cache that is not reset"


def test_an_error_takes_back_what_was_asked(load: Any) -> None:
    class Broken(KeyEnv):
        def respond(self, state: dict[str, Any], action: str, rng: Any) -> Any:
            raise ZeroDivisionError

    policy = load()
    with pytest.raises(ZeroDivisionError):
        collect(Broken, policy, SEEDS)
    collect(KeyEnv, policy, [0])
    assert not policy._batch._engine.running
    assert not policy._batch._running


def test_an_engine_that_cannot_be_exact_is_refused(load: Any, folder: str) -> None:
    llm = LLM(folder, logprobs_mode="raw_logprobs", block_size=4, dtype="float32")
    with pytest.raises(ValueError, match=r"raw_logprobs.*load_engine"):
        load(llm=llm)
    with pytest.raises(ValueError, match="max_turn_tokens=0"):
        load(max_turn_tokens=0)


@pytest.mark.parametrize(("wrong", "said"), [("prompt", "other ids than it was given"), ("reason", "gave a turn up")])
def test_an_engine_that_changes_what_it_was_asked_stops_everything(
    load: Any, monkeypatch: pytest.MonkeyPatch, wrong: str, said: str
) -> None:
    policy = load()
    engine = policy._batch._engine
    step = engine.step

    def changed() -> list[Any]:
        outputs = step()
        for output in outputs:
            if wrong == "prompt":
                output.prompt_token_ids = [*output.prompt_token_ids, 1]
            else:
                output.outputs[0].finish_reason = "abort"
        return outputs

    monkeypatch.setattr(engine, "step", changed)
    with pytest.raises(RuntimeError, match=said):
        collect(KeyEnv, policy, SEEDS)


def test_the_command_line_loads_it_once(stand_in: type[LLM], folder: str, capsys: Any) -> None:
    from turnenv.__main__ import main

    arguments = ["evaluate", "GuessNumber", "CreditChain", "--model", f"vllm:{folder}", "--episodes", "4"]
    assert main([*arguments, "--max-tokens", "4", "--quiet"]) == 0
    assert "GuessNumber" in capsys.readouterr().out
    assert len(LLM.made) == 1
    assert torch.get_default_dtype() is torch.float32
