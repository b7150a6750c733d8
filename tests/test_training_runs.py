"""Settings of whole runs: the reference model, compilation, checkpoints, evaluation, loggers, quantised weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from key_world import AlwaysBroken, KeyEnv, Recorder, config, largest_difference, logprobs_of, tiny_model, unpadded
from key_world import word_tokenizer as tokenizer
from peft import LoraConfig
from plain_losses import relative
from torch import Tensor
from transformers import BitsAndBytesConfig, Qwen2ForCausalLM, TrainerCallback
from transformers.utils import is_bitsandbytes_available, is_liger_kernel_available

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]
BETA = 0.5


class AfterStep(TrainerCallback):
    """Keeps the policy after each step, and stops after one of them."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop, self.policies = stop, list[dict[str, Tensor]]()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.policies.append({name: each.detach().clone() for name, each in kwargs["model"].state_dict().items()})
        control.should_training_stop = state.global_step == self.stop


def made(folder: Path, env: Any = KeyEnv, model: Any = None, **changes: Any) -> Recorder:
    arguments = ("callbacks", "peft_config", "env_kwargs", "quantization_config")
    given = {name: changes.pop(name) for name in arguments if name in changes}
    return Recorder(model or tiny_model(), env, config(folder, **changes), processing_class=tokenizer(), **given)


def trained(folder: Path, *args: Any, resume: Any = None, **changes: Any) -> Recorder:
    trainer = made(folder, *args, **changes)
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def parameters(trainer: Recorder) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in trainer.model.parameters()]


def loss_with_kl(trainer: Recorder, batch: int, policy: Any, reference: Any) -> Tensor:
    """Minus the mean over sampled tokens of (advantage - β · KL) · ratio, on the policy's own batch."""
    rows, output = trainer.recorded[batch]
    losses = []
    for row, (prompt, completion) in enumerate(zip(*unpadded(output), strict=True)):
        sampled = torch.tensor(rows[row]["turn_of"]) >= 0
        logp = logprobs_of(policy, prompt, completion)
        with torch.no_grad():
            ref = logprobs_of(reference, prompt, completion)
        kl = torch.exp(ref - logp) - (ref - logp) - 1
        advantage = output["advantages"][row, : len(sampled)]
        losses.append(((BETA * kl - advantage) * torch.exp(logp - logp.detach()))[sampled])
    return torch.cat(losses).mean()


def test_a_reference_model_that_follows_is_the_mixture_that_was_asked_for(tmp_path: Path) -> None:
    watch = AfterStep()
    settings = {"beta": BETA, "sync_ref_model": True, "ref_model_mixup_alpha": 0.6, "ref_model_sync_steps": 1}
    tiny_model().save_pretrained(tmp_path / "policy")
    model = Qwen2ForCausalLM.from_pretrained(tmp_path / "policy")
    trainer = trained(tmp_path, model=model, callbacks=[watch], max_steps=3, learning_rate=1e-2, **settings)
    policy, reference = tiny_model(), tiny_model()
    for batch, state in enumerate(watch.policies[:2], start=1):
        policy.load_state_dict(state)
        with torch.no_grad():
            for ours, followed in zip(reference.parameters(), policy.parameters(), strict=True):
                ours.mul_(0.4).add_(followed, alpha=0.6)
        policy.zero_grad()
        loss_with_kl(trainer, batch, policy, reference).backward()
        due = [parameter.grad.clone() for parameter in policy.parameters() if parameter.grad is not None]
        assert relative(trainer.gradients[batch], due) < 1e-5
    assert trainer.state.log_history[1]["kl"] > 1e-4


def test_the_reference_of_an_adapter_is_the_model_without_it(tmp_path: Path) -> None:
    adapter = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.0)
    trainer = trained(tmp_path, peft_config=adapter, beta=BETA, max_steps=3, learning_rate=3e-2)
    assert trainer.ref_model is None
    _, output = trainer.recorded[2]
    rows = trainer.recorded[2][0]
    for row, (prompt, completion) in enumerate(zip(*unpadded(output), strict=True)):
        sampled = torch.tensor(rows[row]["turn_of"]) >= 0
        base = logprobs_of(tiny_model(), prompt, completion).detach()
        ours = output["ref_per_token_logps"][row, : len(sampled)]
        assert torch.allclose(ours[sampled], base[sampled], atol=1e-5)
    trainer.model.train()
    ours, due = (gradient_of(trainer, how) for how in ("ours", "plain"))
    assert relative(ours, due) < 1e-5
    assert trainer.state.log_history[2]["kl"] > 1e-4


def gradient_of(trainer: Recorder, how: str) -> list[Tensor]:
    trainer.model.zero_grad()
    if how == "ours":
        trainer._compute_loss(trainer.model, trainer.recorded[2][1]).backward()
    else:
        loss_with_kl(trainer, 2, trainer.model, tiny_model()).backward()
    return [parameter.grad.clone() for parameter in trainer.model.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("how", [{"beta": 0.0}, {"beta": BETA, "peft_config": LoraConfig(r=4)}])
def test_a_reference_that_cannot_follow_is_refused(tmp_path: Path, how: dict[str, Any]) -> None:
    with pytest.raises((ValueError, NotImplementedError), match="sync_ref_model=True"):
        made(tmp_path, sync_ref_model=True, **how)


# Dynamo meets deprecations inside PyTorch, which as errors would stop it.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_policy_takes_the_same_steps(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", max_steps=2)
    compiled = trained(tmp_path / "compiled", max_steps=2, torch_compile=True, torch_compile_backend="eager")
    assert compiled.args.torch_compile
    for ours, due in zip(compiled.recorded, plain.recorded, strict=True):
        assert unpadded(ours[1]) == unpadded(due[1])
    for gradient, expected in zip(compiled.gradients, plain.gradients, strict=True):
        assert relative(gradient, expected) < 1e-5


@pytest.mark.skipif(is_liger_kernel_available(), reason="tests that it is missed where it is not installed")
@pytest.mark.filterwarnings("ignore:.*use_liger_kernel.*:FutureWarning")
def test_kernels_that_are_not_installed_are_missed_before_an_episode_is_played(tmp_path: Path) -> None:
    trainer = made(tmp_path, use_liger_kernel=True)
    with pytest.raises(ImportError, match="pip install liger-kernel"):
        trainer.train()
    assert not trainer.recorded


@pytest.mark.skipif(is_bitsandbytes_available(), reason="tests that it is missed where it is not installed")
def test_quantised_weights_without_what_reads_them_are_refused_before_training(tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path / "policy")
    with pytest.raises(ImportError, match="bitsandbytes"):
        made(
            tmp_path,
            model=str(tmp_path / "policy"),
            quantization_config=BitsAndBytesConfig(load_in_4bit=True),
            peft_config=LoraConfig(r=4),
        )


@pytest.mark.parametrize("credit", ["aw_grpo", "turn_gae"])
def test_the_last_checkpoint_that_is_kept_has_all_that_is_needed(tmp_path: Path, credit: str) -> None:
    settings = {"credit": credit, "max_steps": 6, "learning_rate": 1e-2}
    whole = trained(tmp_path / "whole", **settings)
    saves = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 1}
    trained(tmp_path / "parts", callbacks=[AfterStep(stop=3)], **settings, **saves)
    assert [path.name for path in (tmp_path / "parts").glob("checkpoint-*")] == ["checkpoint-3"]
    resumed = trained(tmp_path / "parts", model=tiny_model(seed=1), resume=True, **settings, **saves)
    assert largest_difference(parameters(whole), parameters(resumed)) == 0.0
    assert [path.name for path in (tmp_path / "parts").glob("checkpoint-*")] == ["checkpoint-6"]


def test_resuming_in_the_middle_of_an_epoch_plays_what_was_left_of_it(tmp_path: Path) -> None:
    # Six tasks, two in each step: three steps per epoch.
    settings = {"num_train_epochs": 2, "max_steps": -1, "num_train_seeds": 6, "learning_rate": 1e-2}
    whole = trained(tmp_path / "whole", **settings)
    assert whole.state.global_step == 6
    saves = {"save_strategy": "steps", "save_steps": 4}
    trained(tmp_path / "parts", callbacks=[AfterStep(stop=4)], **settings, **saves)
    resumed = trained(tmp_path / "parts", model=tiny_model(seed=1), resume=True, **settings, **saves)
    played = [[row["seed"] for row in rows] for rows, _ in resumed.recorded]
    assert played == [[row["seed"] for row in rows] for rows, _ in whole.recorded[4:]]
    assert largest_difference(parameters(whole), parameters(resumed)) == 0.0


def test_an_evaluation_before_training_changes_no_step(tmp_path: Path) -> None:
    evaluation = {"eval_strategy": "steps", "eval_steps": 1, "num_eval_seeds": 8, "per_device_eval_batch_size": 8}
    trainer = trained(tmp_path, eval_on_start=True, eval_delay=2, max_steps=2, **evaluation)
    assert [len(rows) for rows, _ in trainer.recorded] == [8, 16, 16, 8]
    assert [entry["step"] for entry in trainer.state.log_history if "eval_return" in entry] == [0, 2]
    model = tiny_model()
    loss_without_kl(trainer, 1, model).backward()
    assert relative(trainer.gradients[0], [parameter.grad.clone() for parameter in model.parameters()]) < 1e-5


def loss_without_kl(trainer: Recorder, batch: int, policy: Any) -> Tensor:
    return loss_with_kl(trainer, batch, policy, policy)


class Logged(TrainerCallback):
    """What a logger of `report_to` is given."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        self.entries.append(dict(logs))


@pytest.mark.parametrize("env", [KeyEnv, AlwaysBroken])
@pytest.mark.parametrize("credit", ["mt_grpo", "turn_gae"])
def test_loggers_get_numbers_that_json_knows(tmp_path: Path, env: Any, credit: str) -> None:
    logged = Logged()
    evaluation = {"eval_strategy": "steps", "eval_steps": 1, "num_eval_seeds": 8, "per_device_eval_batch_size": 8}
    trained(tmp_path, env, credit=credit, callbacks=[logged], max_steps=2, report_to="none", **evaluation)
    assert len(logged.entries) == 5
    for entry in logged.entries:
        missing = [name for name, value in entry.items() if value is None]
        # TRL has no clipping to report of a batch of faults.
        assert all("clip_ratio" in name and env is AlwaysBroken for name in missing)
        json.dumps(entry, allow_nan=False)


def test_a_logger_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no_such_logger is not supported"):
        made(tmp_path, report_to="no_such_logger")
