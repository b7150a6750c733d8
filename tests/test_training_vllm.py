"""Training with vLLM, on a stand-in for it: weights, seeds, the correction of tokens and turns, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from key_world import KeyEnv, Recorder, config, largest_difference, tiny_model, unpadded, word_tokenizer
from plain_losses import CONSTANTS, relative, shared, vespo_weight
from stand_in_vllm import LLM, stand_in
from trl import GRPOTrainer

from turnenv.training import TurnGRPOTrainer
from turnenv.training.loss import TurnLossTrainer

__all__ = ["stand_in"]
pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]
OF_VLLM = ("importance_sampling_ratio", "old_per_token_logps", "sampling_per_token_logps")


@pytest.fixture
def model(tmp_path: Path, stand_in: type[LLM]) -> str:
    folder = tmp_path / "model"
    tiny_model(seed=4, tie_word_embeddings=True, initializer_range=0.3).save_pretrained(folder)
    return str(folder)


def trainer_of(model: Any, folder: Path, **changes: Any) -> Recorder:
    settings = {"use_vllm": True, "max_steps": 3, "learning_rate": 3e-2, **changes}
    return Recorder(model, KeyEnv, config(folder, **settings), processing_class=word_tokenizer())


def trained(model: Any, folder: Path, **changes: Any) -> Recorder:
    trainer = trainer_of(model, folder, **changes)
    trainer.train()
    return trainer


def logged(trainer: Recorder, name: str) -> list[float]:
    return [log[name] for log in trainer.state.log_history if name in log]


def sampled(trainer: Recorder) -> list[Any]:
    """The prompt and completion ids of each batch; members of a group are in any order."""
    return [sorted(zip(*unpadded(output), strict=True)) for _, output in trainer.recorded]


def test_steps_with_vllm_have_the_gradient_of_the_transformers_engine_on_the_same_tokens(
    model: str, tmp_path: Path
) -> None:
    trainer = trained(model, tmp_path, max_steps=1)
    for end in ("min", "mean", "max"):
        assert logged(trainer, f"sampling/importance_sampling_ratio/{end}") == pytest.approx([1.0], abs=1e-5)
    plain = TurnGRPOTrainer(model, KeyEnv, config(tmp_path), processing_class=word_tokenizer())
    plain.model.train()
    plain.current_gradient_accumulation_steps = 1
    output = {name: value for name, value in trainer.recorded[0][1].items() if name not in OF_VLLM}
    loss = plain._compute_loss(plain.model, output)
    loss.backward()
    expected = [parameter.grad for parameter in plain.model.parameters() if parameter.grad is not None]
    assert max(float(each.abs().max()) for each in expected) > 1e-3
    assert largest_difference(trainer.gradients[0], expected) < 1e-5
    assert logged(trainer, "loss") == pytest.approx([loss.item()], abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "pushes"),
    [
        ({}, 3),
        ({"steps_per_generation": 3, "max_steps": 6}, 2),
        ({"gradient_accumulation_steps": 2, "steps_per_generation": 1, "max_steps": 2}, 2),
    ],
)
def test_weights_are_pushed_once_per_batch_and_the_cache_forgets_the_old_ones(
    model: str, tmp_path: Path, changes: dict[str, Any], pushes: int
) -> None:
    trainer = trained(model, tmp_path, **changes)
    (llm,) = LLM.made
    assert llm.llm_engine.version == pushes
    assert llm.llm_engine.stale == 0
    assert max(logged(trainer, "sampling/sampling_logp_difference/max")) < 1e-4


def test_the_engine_never_plays_with_the_weights_of_an_earlier_run(model: str, tmp_path: Path) -> None:
    trainer = trainer_of(model, tmp_path, max_steps=1)
    trainer.train()
    trainer.train()
    (llm,) = LLM.made
    assert llm.llm_engine.version == 2
    with torch.no_grad():
        trainer.model.lm_head.weight.mul_(0.0)
    trainer.evaluate()
    assert not llm.llm_engine.model.lm_head.weight.any()


def test_adapters_are_merged_into_what_is_pushed(model: str, tmp_path: Path) -> None:
    from peft import LoraConfig

    lora = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    settings = config(tmp_path, use_vllm=True, max_steps=2, learning_rate=3e-2)
    trainer = Recorder(model, KeyEnv, settings, peft_config=lora, processing_class=word_tokenizer())
    trainer.train()
    assert max(logged(trainer, "sampling/sampling_logp_difference/max")) < 1e-4


def test_runs_of_a_seed_sample_the_same_and_others_do_not(model: str, tmp_path: Path) -> None:
    first, again, other = (trained(model, tmp_path, seed=seed, max_steps=1) for seed in (1, 1, 2))
    assert sampled(first) == sampled(again)
    tasks = [[row["seed"] for row in run.recorded[0][0]] for run in (first, other)]
    assert tasks[0] != tasks[1]
    given = {"train_dataset": first.train_dataset, "processing_class": word_tokenizer()}
    same_tasks = Recorder(model, KeyEnv, config(tmp_path, use_vllm=True, seed=2, shuffle_dataset=False), **given)
    as_given = Recorder(model, KeyEnv, config(tmp_path, use_vllm=True, seed=1, shuffle_dataset=False), **given)
    same_tasks.train()
    as_given.train()
    assert sampled(same_tasks) != sampled(as_given)


def test_a_resampled_or_distinct_batch_is_played_by_vllm_too(model: str, tmp_path: Path) -> None:
    trainer = trained(model, tmp_path, resample_dead_groups=True, max_steps=2)
    assert len(logged(trainer, "resampled/groups")) == 2
    assert max(logged(trainer, "sampling/sampling_logp_difference/max")) < 1e-4


def skewed(model: str, folder: Path, **changes: Any) -> Recorder:
    """A batch whose sampler was off by e^0.1 per token, as the sampler says itself."""
    trainer = trainer_of(model, folder, max_steps=1, **changes)
    LLM.made[-1].llm_engine.skew = -0.1
    trainer.train()
    return trainer


@pytest.mark.parametrize("how", ["mean", "sum"])
@pytest.mark.parametrize(("mode", "bounds"), [("token_truncate", (None, 1.25)), ("token_mask", (1.15, 1.4))])
def test_the_correction_is_of_turns_where_the_ratio_is(
    model: str, tmp_path: Path, how: str, mode: str, bounds: tuple[float | None, float]
) -> None:
    low, high = bounds
    settings = {
        "importance_sampling_level": "turn",
        "turn_ratio": how,
        "vllm_importance_sampling_mode": mode,
        "vllm_importance_sampling_clip_min": low,
        "vllm_importance_sampling_clip_max": high,
    }
    trainer = skewed(model, tmp_path, **settings)
    rows, output = trainer.recorded[0]
    seen = set()
    for row, (played, ratio) in enumerate(zip(rows, output["importance_sampling_ratio"], strict=True)):
        turns = torch.tensor(played["turn_of"])
        difference = (output["old_per_token_logps"] - output["sampling_per_token_logps"])[row, : len(turns)]
        expected = shared(difference, turns, "turn", how).exp()
        inside = (expected >= (low or 0.0)) & (expected <= high)
        expected = expected.clamp(max=high) if mode == "token_truncate" else expected * inside
        expected[turns < 0] = ratio[: len(turns)][turns < 0]
        assert torch.allclose(ratio[: len(turns)], expected, atol=1e-6)
        seen |= {round(float(value), 2) for value in ratio[: len(turns)][turns >= 0]}
    assert len(seen) >= (2 if how == "sum" else 1)
    assert logged(trainer, "sampling/importance_sampling_ratio/max") == pytest.approx([max(seen)], abs=0.01)


def test_the_correction_weighs_the_gradient(model: str, tmp_path: Path) -> None:
    trainer = skewed(
        model,
        tmp_path,
        importance_sampling_level="turn",
        vllm_importance_sampling_clip_max=None,
        vllm_importance_sampling_clip_min=0.5,
    )
    _, output = trainer.recorded[0]
    trainer = trainer_of(model, tmp_path)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1

    def gradient(batch: dict[str, Any]) -> list[torch.Tensor]:
        trainer.model.zero_grad()
        trainer._compute_loss(trainer.model, batch).backward()
        return [parameter.grad.clone() for parameter in trainer.model.parameters() if parameter.grad is not None]

    weighed = {**output, "importance_sampling_ratio": torch.ones_like(output["importance_sampling_ratio"])}
    weighed["advantages"] = output["advantages"] * torch.e**0.1
    assert relative(gradient(dict(output)), gradient(weighed)) < 1e-4


def test_vespo_weighs_each_turn_by_its_own_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = object.__new__(TurnLossTrainer)
    trainer.args = type("Args", (), {"importance_sampling_level": "turn"})()  # type: ignore[assignment]
    turns = torch.tensor([[0, 0, -1, 1, 1, 1]])
    trainer._turn_of_BT = turns
    torch.manual_seed(0)
    log_ratio, log_correction = 0.1 * torch.randn(1, 6), 0.1 * torch.randn(1, 6)
    advantages = torch.tensor([[1.0, 1.0, 0.0, -1.0, -1.0, -1.0]])
    constants = {"k_pos": 2.0, "lambda_pos": 3.0, "k_neg": 3.0, "lambda_neg": 2.0}
    given = {"log_ratio_per_token": log_ratio, "importance_sampling_ratio": log_correction.exp()}
    weights = trainer.get_gamma_weights((turns >= 0).int(), advantages=advantages, **given, **constants)
    for turn in (0, 1):
        of_turn = turns == turn
        log_weight = (log_ratio + log_correction)[of_turn].sum().expand(int(of_turn.sum()))
        assert torch.allclose(weights[of_turn], vespo_weight(log_weight, advantages[of_turn], CONSTANTS), atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"use_vllm": True, "top_p": 0.9}, "biased by the mass that was cut"),
        ({"use_vllm": True, "top_k": 5}, "biased by the mass that was cut"),
        ({"use_vllm": True, "min_p": 0.1}, "temperature, top_p and top_k only"),
        ({"use_vllm": True, "vllm_enable_sleep_mode": True}, "discards vLLM's weights and its prefix cache"),
        ({"use_vllm": True, "vllm_mode": "server"}, "leave it 'colocate'"),
        ({"use_vllm": True, "vllm_server_base_url": "http://h"}, "with a server, TRL mixes up the turns"),
        ({"use_vllm": True, "vllm_tensor_parallel_size": 2}, "an engine per process"),
        ({"use_vllm": True, "vllm_importance_sampling_cap": 2.0}, "use vllm_importance_sampling_clip_max"),
        ({"use_vllm": True, "vllm_importance_sampling_mode": "token"}, "choose one of 'token_truncate', 'token_mask'"),
        (
            {"use_vllm": True, "vllm_importance_sampling_mode": "sequence_mask", "importance_sampling_level": "turn"},
            "take token_truncate or token_mask, which are of turns then",
        ),
        (
            {"use_vllm": True, "vllm_importance_sampling_mode": "sequence_mask", "loss_type": "vespo"},
            "loss_type='vespo' weighs by tokens",
        ),
        ({"vllm_max_model_length": 100}, "would not be read without use_vllm=True"),
        ({"vllm_importance_sampling_mode": "token_mask"}, "would not be read without use_vllm=True"),
    ],
)
def test_what_vllm_cannot_play_with_is_refused(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        config(tmp_path, **wrong)


def test_a_model_that_vllm_cannot_load_is_refused(stand_in: type[LLM], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no path.*vLLM loads the model itself"):
        Recorder(tiny_model(), KeyEnv, config(tmp_path, use_vllm=True), processing_class=word_tokenizer())


def test_tokens_are_corrected_by_default_since_whole_episodes_would_be_dropped(tmp_path: Path) -> None:
    assert config(tmp_path).vllm_importance_sampling_mode == "token_truncate"
    assert issubclass(TurnGRPOTrainer, GRPOTrainer)


def test_the_context_is_what_the_engine_was_given(model: str, tmp_path: Path) -> None:
    trainer = trained(model, tmp_path, max_steps=1, vllm_max_model_length=20)
    assert max(len(prompt) + len(completion) for prompt, completion in sampled(trainer)[0]) <= 20
    assert logged(trainer, "truncated/context")[0] > 0.0
