"""Settings of TRL on episodes with turns: right against plain torch, refused in a sentence, or no business of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from key_world import KeyEnv, Recorder, config, largest_difference, tiny_model, unpadded, word_tokenizer
from plain_losses import relative
from torch import Tensor
from trainer_settings import NOT_OURS, PAGE, RIGHT, page
from trl import GRPOConfig

from turnenv.training.settings import REFUSED

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]


def trained(folder: Path, **changes: Any) -> Recorder:
    trainer = Recorder(tiny_model(), KeyEnv, config(folder, **changes), processing_class=word_tokenizer())
    trainer.train()
    return trainer


def expected(
    trainer: Recorder, loss: Callable[[Tensor, Tensor, Tensor], Tensor], temperature: float = 1.0
) -> list[Tensor]:
    """The gradient of a loss of all sampled tokens of the first batch.

    Args:
        trainer: which has trained.
        loss: of the tokens' log-probabilities, entropies and advantages.
        temperature: divides the logits.
    """
    rows, output = trainer.recorded[0]
    model = tiny_model()
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for row, (prompt, completion) in enumerate(zip(*unpadded(output), strict=True)):
        ids = torch.tensor([[*prompt, *completion]])
        every = (model(input_ids=ids).logits[0, len(prompt) - 1 : -1] / temperature).log_softmax(-1)
        sampled = torch.tensor(rows[row]["turn_of"]) >= 0
        logp = every.gather(1, ids[0, len(prompt) :, None]).squeeze(1)
        entropy = -(every.exp() * every).sum(-1)
        found.append((logp[sampled], entropy[sampled], output["advantages"][row, : len(sampled)][sampled]))
    loss(*(torch.cat(values) for values in zip(*found, strict=True))).backward()
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def policy_loss(logp: Tensor, entropy: Tensor, advantage: Tensor) -> Tensor:
    return -(advantage * logp).mean()


def test_the_temperature_is_the_samplers_and_the_losss(tmp_path: Path) -> None:
    trainer = trained(tmp_path, temperature=0.7)
    assert relative(trainer.gradients[0], expected(trainer, policy_loss, 0.7)) < 1e-5


def test_top_entropy_quantile_is_over_sampled_tokens(tmp_path: Path) -> None:
    def loss(logp: Tensor, entropy: Tensor, advantage: Tensor) -> Tensor:
        high = entropy.detach() >= torch.quantile(entropy.detach(), 0.6)
        return -(advantage * logp * high).mean()

    trainer = trained(tmp_path, top_entropy_quantile=0.4)
    assert relative(trainer.gradients[0], expected(trainer, loss)) < 1e-5


def test_the_entropy_bonus_is_of_sampled_tokens(tmp_path: Path) -> None:
    trainer = trained(tmp_path, entropy_coef=0.3)
    due = expected(
        trainer, lambda logp, entropy, advantage: policy_loss(logp, entropy, advantage) - 0.3 * entropy.mean()
    )
    assert relative(trainer.gradients[0], due) < 1e-5


def test_adaptive_entropy_measures_sampled_tokens(tmp_path: Path) -> None:
    trainer = trained(
        tmp_path, use_adaptive_entropy=True, entropy_coef=0.3, entropy_target=9.0, entropy_coef_delta=0.1, max_steps=2
    )
    assert trainer.entropy_coef == pytest.approx(0.5)
    entropies: list[Tensor] = []
    expected(trainer, lambda logp, entropy, advantage: entropies.append(entropy.detach()) or logp.sum())
    assert trainer.state.log_history[0]["entropy"] == pytest.approx(float(entropies[0].mean()), rel=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"pad_to_multiple_of": 16},
        {"cast_lm_head_to_fp32": True},
        {"disable_dropout": True},
        {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}},
        {"activation_checkpointing": True, "activation_checkpointing_kwargs": {"use_reentrant": False}},
        {"use_cache": True},
        {"dataloader_num_workers": 1},
        {"average_tokens_across_devices": False},
        {"torch_empty_cache_steps": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_no_part_of_the_objective_changes_no_gradient(tmp_path: Path, changes: dict[str, Any]) -> None:
    trainer = trained(tmp_path, **changes)
    assert relative(trainer.gradients[0], expected(trainer, policy_loss)) < 1e-5


def test_bf16_keeps_the_direction_of_the_gradient(tmp_path: Path) -> None:
    trainer = trained(tmp_path, bf16=True)
    ours, due = (
        torch.cat([g.flatten() for g in each]) for each in (trainer.gradients[0], expected(trainer, policy_loss))
    )
    assert torch.nn.functional.cosine_similarity(ours, due, dim=0) > 0.995


@pytest.mark.parametrize("how", [{"steps_per_generation": 4}, {"generation_batch_size": 16}])
def test_the_steps_on_a_batch_are_its_parts(tmp_path: Path, how: dict[str, Any]) -> None:
    trainer = trained(tmp_path, per_device_train_batch_size=4, max_steps=4, learning_rate=0.0, **how)
    assert len(trainer.recorded) == 1
    mean = [torch.stack(parts).mean(0) for parts in zip(*trainer.gradients, strict=True)]
    assert relative(mean, expected(trainer, policy_loss)) < 1e-5


def test_the_order_of_the_seeds_is_shuffled_or_kept(tmp_path: Path) -> None:
    kept, shuffled = (trained(tmp_path / str(on), shuffle_dataset=on, num_train_seeds=50) for on in (False, True))
    seeds = [[row["seed"] for row in trainer.recorded[0][0]] for trainer in (kept, shuffled)]
    assert seeds[0] == [seed for seed in kept.train_dataset["seed"][:2] for _ in range(8)]
    assert seeds[0] != seeds[1]


def test_runs_of_a_seed_are_equal_and_of_others_differ(tmp_path: Path) -> None:
    runs = [trained(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    played = [unpadded(run.recorded[0][1]) for run in runs]
    assert played[0] == played[1] != played[2]
    assert largest_difference(runs[0].gradients[0], runs[1].gradients[0]) == 0.0


OTHER_VALUES: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    float: lambda value: value + 0.5,
    str: lambda value: value + "_other",
}


def other(default: Any) -> Any:
    return "other" if default is None else OTHER_VALUES[type(default)](default)


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_that_would_not_be_read_is_refused(tmp_path: Path, name: str) -> None:
    found = {field.name: field for field in fields(GRPOConfig)}
    if name not in found:
        pytest.skip("a setting of another version of TRL")
    default = ["loss"] if found[name].default is MISSING else other(found[name].default)
    with pytest.raises(ValueError, match=f"^{name}=.* is refused: "):
        config(tmp_path, **{name: default})


def test_every_setting_has_one_verdict() -> None:
    names = [*RIGHT, *NOT_OURS, *REFUSED]
    assert len(names) == len(set(names))
    assert {field.name for field in fields(GRPOConfig)} - set(names) == set()


@pytest.mark.parametrize("test", sorted(set(RIGHT.values())))
def test_what_shows_that_a_setting_is_right_exists(test: str) -> None:
    module, _, name = test.partition("::")
    assert f"def {name}(" in (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")


def test_the_page_of_settings_says_so() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python tests/trainer_settings.py"
