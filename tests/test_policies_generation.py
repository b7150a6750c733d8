"""The sampler: the KV cache changes the cost of a turn and nothing else."""

from __future__ import annotations

import pytest
import torch
from key_world import EOS, PAD, logprobs_of, tiny_model
from transformers import MistralConfig, MistralForCausalLM, PreTrainedModel

from turnenv.policies.generation import CachedTurnSampler, Sampling, TurnSampler, keeps_cache, make_sampler

pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing:FutureWarning")

PROMPTS = [[5, 6, 7]] * 3 + [[9, 4, 11, 12, 13, 8, 2]] * 2 + [[7, 16]]
"""Two groups and one row alone, of different lengths."""


def play(sampler: TurnSampler, turns: int = 3, tokens: int = 6) -> tuple[list[list[int]], list[list[float | None]]]:
    """A ragged batch: row 1 ends after the first turn, row 4 after the second. Returns ids and log-probabilities."""
    noise = torch.Generator().manual_seed(7)
    rows, new_ids = list(range(len(PROMPTS))), [list(prompt) for prompt in PROMPTS]
    ids: list[list[int]] = [[] for _ in rows]
    logprobs: list[list[float | None]] = [[] for _ in rows]
    for turn in range(turns):
        for row, turn_ids, sampled in zip(
            rows, new_ids, sampler.turn(rows, new_ids, [tokens] * len(rows)), strict=True
        ):
            ids[row] += turn_ids + sampled.ids
            logprobs[row] += [None] * len(turn_ids) + sampled.logprobs
        rows = [row for row in rows if row != (1, 4)[min(turn, 1)]]
        lengths = torch.randint(1, 6, (len(PROMPTS),), generator=noise).tolist()
        new_ids = [torch.randint(4, 18, (lengths[row],), generator=noise).tolist() for row in rows]
    return ids, logprobs


def make(cls: type[TurnSampler], model: PreTrainedModel, **sampling: float) -> TurnSampler:
    return cls(
        model, pad_id=PAD, eos_ids=[EOS], sampling=Sampling(generator=torch.Generator().manual_seed(0), **sampling)
    )


@pytest.mark.parametrize("cls", [CachedTurnSampler, TurnSampler])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_those_of_a_full_forward_pass(cls: type[TurnSampler], temperature: float) -> None:
    model = tiny_model()
    with torch.no_grad():
        rows = play(make(cls, model, temperature=temperature))
        compared = 0
        for ids, logprobs in zip(*rows, strict=True):
            logits = model(input_ids=torch.tensor([ids])).logits[0, :-1] / temperature
            expected = logits.log_softmax(-1).gather(1, torch.tensor(ids)[1:, None]).squeeze(1)
            for position, logprob in enumerate(logprobs):
                if logprob is not None:
                    assert logprob == pytest.approx(float(expected[position - 1]), abs=2e-5)
                    compared += 1
    assert compared > 40


def test_greedy_ids_do_not_depend_on_the_cache() -> None:
    model = tiny_model()
    cached, _ = play(make(CachedTurnSampler, model, temperature=0.0))
    replayed, _ = play(make(TurnSampler, model, temperature=0.0))
    assert cached == replayed


def test_sampled_ids_do_not_depend_on_the_cache() -> None:
    model = tiny_model()
    assert play(make(CachedTurnSampler, model))[0] == play(make(TurnSampler, model))[0]


def test_a_turn_ends_at_eos_or_at_its_cap() -> None:
    sampler = make(CachedTurnSampler, tiny_model())
    turns = [turn.ids for _ in range(30) for turn in make_turn(sampler)]
    assert all(EOS not in ids[:-1] for ids in turns)
    assert all(len(ids) == 5 for ids in turns if ids[-1] != EOS)
    assert any(len(ids) < 5 for ids in turns)
    assert any(ids[-1] != EOS for ids in turns)


def make_turn(sampler: TurnSampler) -> list:
    fresh = type(sampler)(sampler.model, pad_id=PAD, eos_ids=[EOS], sampling=sampler.sampling)
    return fresh.turn([0, 1], [[5, 6], [7, 8, 9]], [5, 5])


def test_each_row_has_its_own_cap() -> None:
    model = tiny_model()
    sampler = TurnSampler(model, pad_id=PAD, eos_ids=[], sampling=Sampling(temperature=0.0))
    assert [len(turn.ids) for turn in sampler.turn([0, 1], [[5, 6], [7]], [2, 7])] == [2, 7]


def test_members_of_a_group_share_the_prefill_of_their_prompt() -> None:
    model = tiny_model()
    shapes = []
    hook = model.register_forward_pre_hook(
        lambda _, __, kwargs: shapes.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    play(make(CachedTurnSampler, model), turns=1)
    hook.remove()
    assert shapes[0] == (3, 7)
    assert shapes[1] == (6, 1)


def test_the_cache_makes_a_later_turn_cost_what_is_new() -> None:
    model = tiny_model()
    widths = []
    hook = model.register_forward_pre_hook(
        lambda _, __, kwargs: widths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    sampler = make(CachedTurnSampler, model)
    sampler.turn([0], [[5] * 40], [1])
    sampler.turn([0], [[6, 7]], [1])
    hook.remove()
    assert widths == [40, 3]


def test_gradient_checkpointing_cannot_silently_drop_the_cache() -> None:
    model = tiny_model()
    model.gradient_checkpointing_enable()
    model.train()
    with pytest.raises(RuntimeError, match=r"dropped its KV cache.*model\.eval\(\)"):
        play(make(CachedTurnSampler, model))


def test_sliding_windows_are_sampled_without_a_kept_cache() -> None:
    torch.manual_seed(0)
    model = MistralForCausalLM(
        MistralConfig(
            vocab_size=18, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, sliding_window=5, initializer_range=0.2, pad_token_id=PAD, eos_token_id=EOS,
        )
    ).eval()  # fmt: skip
    assert keeps_cache(tiny_model())
    assert not keeps_cache(model)
    sampler = make_sampler(
        model, pad_id=PAD, eos_ids=[EOS], sampling=Sampling(generator=torch.Generator().manual_seed(0))
    )
    assert type(sampler) is TurnSampler
    with torch.no_grad():
        for ids, logprobs in zip(*play(sampler), strict=True):
            expected = logprobs_of(model, ids[:1], ids[1:]).tolist()
            for position, logprob in enumerate(logprobs):
                if logprob is not None:
                    assert logprob == pytest.approx(expected[position - 1], abs=2e-5)


def test_tokens_are_drawn_as_often_as_their_probabilities_say() -> None:
    logprobs = torch.tensor([0.5, 0.0, 0.3, 0.2]).log().repeat(40_000, 1)
    drawn = Sampling(generator=torch.Generator().manual_seed(0)).draw(logprobs)
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert shares[1] == 0.0
    assert torch.allclose(shares, torch.tensor([0.5, 0.0, 0.3, 0.2]), atol=0.01)


def test_filters_keep_what_they_say_and_renormalise() -> None:
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()
    assert Sampling(top_k=2).logprobs(logits).exp().tolist()[0] == pytest.approx([4 / 7, 3 / 7, 0.0, 0.0])
    assert Sampling(top_p=0.6).logprobs(logits).exp().tolist()[0] == pytest.approx([4 / 7, 3 / 7, 0.0, 0.0])
    assert Sampling(temperature=0.5).logprobs(logits).exp().tolist()[0] == pytest.approx(
        [16 / 30, 9 / 30, 4 / 30, 1 / 30]
    )


@pytest.mark.parametrize("wrong", [{"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"top_k": -1}])
def test_impossible_sampling_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_a_model_without_attention_is_refused() -> None:
    from transformers import Mamba2Config, Mamba2ForCausalLM

    shape = {"hidden_size": 32, "num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "num_hidden_layers": 1}
    model = Mamba2ForCausalLM(
        Mamba2Config(vocab_size=20, pad_token_id=0, bos_token_id=1, eos_token_id=3, **shape)
    ).eval()
    sampler = make_sampler(model, pad_id=0, eos_ids=[3], sampling=Sampling())
    with pytest.raises(ValueError, match=r"keeps its state in a cache of its own.*take a model with attention"):
        sampler.turn([0], [[4, 5]], [2])
