"""Every loss with the ratio of a token, a turn or an episode: its gradient is the one worked out in plain torch."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from key_world import KeyEnv, Recorder, config, largest_difference, logprobs_of, tiny_model, unpadded, word_tokenizer
from plain_losses import CISPO_HIGH, HIGH, LIMIT, LOW, aggregated, relative, shared, token_losses
from torch import Tensor
from trl import GRPOTrainer

from turnenv.training.ratio import LEVELS, log_ratios

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]
LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "luspo", "sapo", "vespo")


def play(folder: Path, **changes: Any) -> Recorder:
    settings = {"num_iterations": 2, "learning_rate": 3e-2, "epsilon": LOW, "epsilon_high": HIGH, "max_turns": 3}
    trainer = Recorder(
        tiny_model(), KeyEnv, config(folder, **{**settings, **changes}), processing_class=word_tokenizer()
    )
    trainer.train()
    return trainer


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """A batch that was played by other weights than those that are trained now."""
    return play(tmp_path_factory.mktemp("played"))


def expected_gradient(
    trainer: Recorder, loss: str, level: str, how: str = "mean", rows: Any = None, **changed: Any
) -> list[Tensor]:
    """The gradient in plain torch, row by row, without padding; `rows` are those that count."""
    recorded, output = trainer.recorded[0]
    prompts, completions = unpadded(output)
    rows = range(len(recorded)) if rows is None else rows
    trainer.model.zero_grad()
    losses: list[Tensor] = []
    for row in rows:
        turns = torch.tensor(recorded[row]["turn_of"])
        with torch.no_grad():
            old = logprobs_of(tiny_model(), prompts[row], completions[row])
        logp = logprobs_of(trainer.model, prompts[row], completions[row])
        advantage = output["advantages"][row, : len(turns)]
        per_token = token_losses(loss, logp, old, turns, advantage, level, how, **changed)
        losses.append(per_token[turns >= 0])
    aggregated(loss, losses).backward()
    return [parameter.grad.clone() for parameter in trainer.model.parameters() if parameter.grad is not None]


def gradient(trainer: Recorder, loss: str, level: str, how: str = "mean", drop: str = "") -> list[Tensor]:
    trainer.loss_type = loss
    trainer.args.importance_sampling_level, trainer.args.turn_ratio = level, how
    trainer.epsilon_high = CISPO_HIGH if loss == "cispo" else HIGH
    trainer.max_completion_length = LIMIT
    trainer.model.train()
    trainer.model.zero_grad()
    output = {name: value for name, value in trainer.recorded[0][1].items() if name != drop}
    trainer.current_gradient_accumulation_steps = 1
    trainer._compute_loss(trainer.model, output).backward()
    return [parameter.grad.clone() for parameter in trainer.model.parameters() if parameter.grad is not None]


CASES = [(loss, level, "mean") for loss, level in itertools.product(LOSSES, LEVELS)]
CASES += [(loss, "turn", "sum") for loss in LOSSES]


@pytest.mark.parametrize(("loss", "level", "how"), CASES)
def test_each_loss_at_each_level_has_the_gradient_worked_out_in_plain_torch(
    played: Recorder, loss: str, level: str, how: str
) -> None:
    expected = expected_gradient(played, loss, level, how)
    assert max(float(each.abs().max()) for each in expected) > 1e-4
    assert relative(gradient(played, loss, level, how), expected) < 1e-5


def test_the_batch_is_ragged_and_its_ratios_are_clipped(played: Recorder) -> None:
    rows, output = played.recorded[0]
    assert {len(row["episode"].turns) for row in rows} == {1, 2, 3}
    assert any(-1 in row["turn_of"] for row in rows)
    assert len({len(row["turn_of"]) for row in rows}) > 4
    prompts, completions = unpadded(output)
    spread = [
        logprobs_of(played.model, prompts[row], completions[row]).detach()
        - logprobs_of(tiny_model(), prompts[row], completions[row]).detach()
        for row in range(16)
    ]
    ratios = torch.cat(spread).exp()
    assert ((ratios < 1 - LOW) | (ratios > 1 + HIGH)).float().mean() > 0.2


@pytest.mark.parametrize(
    ("loss", "changed"),
    [
        ("dapo", {"delta": 1.05}),
        ("sapo", {"sapo_temperature_pos": 2.0, "sapo_temperature_neg": 3.0}),
        ("vespo", {"vespo_k_pos": 1.0, "vespo_lambda_pos": 2.0, "vespo_k_neg": 1.5, "vespo_lambda_neg": 1.0}),
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_constants_of_the_losses_are_read(
    played: Recorder, monkeypatch: pytest.MonkeyPatch, loss: str, changed: dict[str, Any], level: str
) -> None:
    output = played.recorded[0][1]
    # What was worth doing has become likelier, and `delta` limits what was not.
    monkeypatch.setitem(output, "advantages", -output["advantages"])
    for name, value in changed.items():
        monkeypatch.setattr(played.args, name, value)
    expected = expected_gradient(played, loss, level, **changed)
    assert relative(gradient(played, loss, level), expected) < 1e-5
    # No episode of the batch as a whole is beyond `delta`.
    if (loss, level) != ("dapo", "sequence"):
        assert relative(expected, expected_gradient(played, loss, level)) > 1e-3


@pytest.mark.parametrize("loss", LOSSES)
def test_levels_differ_off_the_policy_alone(played: Recorder, loss: str) -> None:
    off = [gradient(played, loss, level) for level in LEVELS]
    assert relative(off[1], off[0]) > 1e-2 or loss == "vespo"
    assert relative(off[1], off[2]) > 1e-2
    on = [gradient(played, loss, level, drop="old_per_token_logps") for level in LEVELS]
    assert relative(on[1], on[0]) == relative(on[2], on[0]) == 0.0


@pytest.mark.parametrize("level", ["turn", "sequence"])
def test_one_step_per_batch_takes_the_same_step_at_every_level(tmp_path: Path, level: str) -> None:
    runs = [
        play(tmp_path / name, num_iterations=1, importance_sampling_level=name, max_steps=2)
        for name in ("token", level)
    ]
    for ours, expected in zip(runs[1].gradients, runs[0].gradients, strict=True):
        assert largest_difference(ours, expected) == 0.0


@pytest.mark.parametrize(("level", "how"), [("turn", "mean"), ("turn", "sum"), ("sequence", "mean")])
def test_the_second_step_on_a_batch_has_the_ratio_that_was_asked_for(tmp_path: Path, level: str, how: str) -> None:
    settings = {"importance_sampling_level": level, "turn_ratio": how, "num_iterations": 3}
    two = play(tmp_path / "two", max_steps=2, **settings)
    one = play(tmp_path / "one", max_steps=1, **settings)
    assert relative(two.gradients[1], expected_gradient(one, "dapo", level, how)) < 1e-5


@pytest.mark.parametrize("corrected", [True, False])
def test_kl_is_of_the_policys_own_log_probabilities(tmp_path: Path, corrected: bool) -> None:
    tiny_model().save_pretrained(tmp_path / "model")
    model = tiny_model()
    model.config._name_or_path = str(tmp_path / "model")
    trainer = Recorder(
        model,
        KeyEnv,
        config(
            tmp_path,
            beta=0.5,
            use_bias_correction_kl=corrected,
            num_iterations=2,
            learning_rate=3e-2,
            importance_sampling_level="turn",
        ),
        processing_class=word_tokenizer(),
    )
    trainer.train()
    trainer.epsilon_low = trainer.epsilon_high = 1e9
    recorded, output = trainer.recorded[0]
    ours = gradient_with_kl(trainer)
    prompts, completions = unpadded(output)
    trainer.model.zero_grad()
    losses = []
    for row, turns in enumerate(torch.tensor(row["turn_of"]) for row in recorded):
        with torch.no_grad():
            old = logprobs_of(tiny_model(), prompts[row], completions[row])
        logp = logprobs_of(trainer.model, prompts[row], completions[row])
        advantage = output["advantages"][row, : len(turns)]
        ratio = torch.exp(shared((logp - old).detach(), turns, "turn", "mean")) * torch.exp(logp - logp.detach())
        kl = torch.exp(old - logp) - (old - logp) - 1
        losses.append((-ratio * advantage + 0.5 * kl * (ratio if corrected else 1.0))[turns >= 0])
    torch.cat(losses).mean().backward()
    assert relative(ours, [parameter.grad.clone() for parameter in trainer.model.parameters()]) < 1e-5


def gradient_with_kl(trainer: Recorder) -> list[Tensor]:
    trainer.model.train()
    trainer.model.zero_grad()
    trainer._compute_loss(trainer.model, trainer.recorded[0][1]).backward()
    return [parameter.grad.clone() for parameter in trainer.model.parameters()]


@pytest.mark.parametrize("loss", ["grpo", "dr_grpo", "sapo", "luspo", "dapo", "bnpo"])
def test_faulted_episodes_are_in_no_denominator(tmp_path: Path, loss: str) -> None:
    trainer = Recorder(
        tiny_model(),
        KeyEnv,
        config(tmp_path, loss_type=loss, max_turn_tokens=6, max_turns=3, num_iterations=2, learning_rate=3e-2),
        processing_class=word_tokenizer(),
        env_kwargs={"breaks": True},
    )
    trainer.train()
    live = [row for row, fields in enumerate(trainer.recorded[0][0]) if not fields["episode"].faulted]
    assert 4 < len(live) < 16
    trainer.epsilon_low = LOW
    assert relative(gradient(trainer, loss, "turn"), expected_gradient(trainer, loss, "turn", rows=live)) < 1e-5


@pytest.mark.parametrize(
    ("loss", "entropy_coef"), [("grpo", 0.0), ("grpo", 0.3), ("dr_grpo", 0.0), ("sapo", 0.0), ("luspo", 0.3)]
)
def test_the_logged_loss_is_of_the_episodes_that_did_not_fault(tmp_path: Path, loss: str, entropy_coef: float) -> None:
    settings = {"loss_type": loss, "max_turn_tokens": 6, "max_turns": 3, "entropy_coef": entropy_coef}
    args = config(tmp_path, gradient_accumulation_steps=2, per_device_train_batch_size=8, **settings)
    trainer = Recorder(tiny_model(), KeyEnv, args, processing_class=word_tokenizer(), env_kwargs={"breaks": True})
    trainer.max_completion_length = LIMIT
    trainer.train()
    rows, output = trainer.recorded[0]
    losses = list[Tensor]()
    for row, fields in enumerate(rows):
        turns = torch.tensor(fields["turn_of"])
        if not fields["episode"].faulted:
            # On-policy every ratio is 1, whatever the tokens' probabilities are.
            zeros, advantage = torch.zeros(len(turns)), output["advantages"][row, : len(turns)]
            losses.append(token_losses(loss, zeros, zeros, turns, advantage, "token", "mean")[turns >= 0])
    assert 4 < len(losses) < 16
    due, logged = float(aggregated(loss, losses)), trainer.state.log_history[0]
    assert abs(due) > 1e-3
    if entropy_coef:
        assert logged["policy_loss"] == pytest.approx(due, abs=2e-6)
    assert logged["loss"] == pytest.approx(due - entropy_coef * logged["entropy"], abs=2e-6)


@pytest.mark.parametrize("cut", [{"top_k": 3}, {"top_p": 0.7}])
def test_no_ratio_is_taken_to_a_distribution_that_was_cut(tmp_path: Path, cut: dict[str, Any]) -> None:
    settings = {"num_iterations": 1, **cut}
    masked = play(tmp_path / "masked", off_policy_mask_threshold=1e-3, **settings)
    whole = play(tmp_path / "whole", **settings)
    assert "sampling_per_token_logps" not in masked.recorded[0][1]
    assert largest_difference(masked.gradients[0], whole.gradients[0]) == 0.0


def test_the_off_policy_mask_reads_how_far_the_policy_has_moved(played: Recorder) -> None:
    played.off_policy_mask_threshold = 1e-3
    try:
        masked = [gradient(played, "cispo", level, drop="sampling_per_token_logps") for level in ("turn", "sequence")]
        kept = [gradient(played, "cispo", level) for level in ("turn", "sequence")]
    finally:
        played.off_policy_mask_threshold = None
    for ours, expected, level in zip(masked, kept, ("turn", "sequence"), strict=True):
        assert relative(ours, expected) < 1e-5
        assert relative(ours, gradient(played, "cispo", level)) > 1e-3


def test_log_ratios_by_hand() -> None:
    turns = torch.tensor([[0, 0, -1, 1, -1], [0, -1, 1, 1, 1]])
    mask = (turns >= 0).int()
    given = torch.tensor([[0.2, 0.4, 9.0, -0.6, 9.0], [0.1, 9.0, 0.2, 0.3, 40.0]])
    expected = {
        ("token", "mean"): [[0.2, 0.4, 0, -0.6, 0], [0.1, 0, 0.2, 0.3, 40.0]],
        ("turn", "mean"): [[0.3, 0.3, 0, -0.6, 0], [0.1, 0, 13.5, 13.5, 13.5]],
        ("turn", "sum"): [[0.6, 0.6, 0, -0.6, 0], [0.1, 0, 20.0, 20.0, 20.0]],
        ("sequence", "mean"): [[0.0, 0.0, 0, 0.0, 0], [10.15, 0, 10.15, 10.15, 10.15]],
    }
    for (level, how), values in expected.items():
        np.testing.assert_allclose(log_ratios(given, mask, turns, level, how), values, atol=1e-6)


def test_a_loss_that_scores_elsewhere_is_refused(played: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GRPOTrainer, "_compute_loss", lambda self, model, inputs: torch.zeros(()))
    with pytest.raises(RuntimeError, match=r"TRL .* is not what turnenv builds on: its loss does not score"):
        played._compute_loss(played.model, played.recorded[0][1])
    played._unsettled = None


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [
        ({"importance_sampling_level": "episode"}, "choose one of 'token', 'turn', 'sequence'"),
        ({"importance_sampling_level": "turn", "turn_ratio": "product"}, "choose one of 'mean', 'sum'"),
        ({"turn_ratio": "sum"}, "belongs to importance_sampling_level='turn'"),
    ],
)
def test_a_ratio_that_does_not_exist_is_refused(tmp_path: Path, wrong: dict[str, Any], fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        config(tmp_path, **wrong)
