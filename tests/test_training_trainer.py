"""The trainer: what TRL makes of our batches is the gradient that the estimator means."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from key_world import (
    AlwaysBroken,
    KeyEnv,
    Recorder,
    config,
    largest_difference,
    plain_gradient,
    tiny_model,
    unpadded,
    word_tokenizer,
)
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from torch.utils.flop_counter import FlopCounterMode
from transformers import TrainerCallback
from trl import GRPOTrainer

from turnenv import Episode, Scripted, collect
from turnenv.credit import CRITIC_FIELDS, ESTIMATORS, TRAINING_FIELDS, AlignmentWeighted, TurnBatch
from turnenv.credit.checks import OPTIONAL_FIELDS
from turnenv.groups import turn_batch
from turnenv.training import TurnGRPOTrainer, seed_dataset
from turnenv.training.lm_head import only_sampled_tokens

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]


def trained(folder: Path, env: Any = KeyEnv, model: Any = None, **changes: Any) -> Recorder:
    arguments = {
        name: changes.pop(name)
        for name in ("env_kwargs", "credit_function", "peft_config", "callbacks")
        if name in changes
    }
    if "credit_function" in arguments:
        arguments["credit"] = arguments.pop("credit_function")
    trainer = Recorder(
        model or tiny_model(), env, config(folder, **changes), processing_class=word_tokenizer(), **arguments
    )
    trainer.train()
    return trainer


def advantages_of(episodes: Sequence[Episode], credit: str, **options: Any) -> Any:
    batch = TurnBatch.from_ragged(
        [episode.turn_rewards for episode in episodes],
        [episode.outcome.reward for episode in episodes],
        [row // 8 for row in range(len(episodes))],
        faulted=[episode.faulted for episode in episodes],
    )
    return ESTIMATORS[credit](batch, **options)


def parameters(trainer: TurnGRPOTrainer) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trainer.model.parameters()]


@pytest.mark.parametrize(
    ("credit", "options"),
    [("mt_grpo", {}), ("mt_grpo", {"lam": 0.3, "final_turn": "turn+outcome"}), ("grpo_or", {}), ("grpo_mr", {})],
)
def test_the_gradient_is_the_one_worked_out_in_plain_torch(tmp_path: Path, credit: str, options: Any) -> None:
    trainer = trained(tmp_path, credit=credit, credit_kwargs=options)
    rows, output = trainer.recorded[0]
    episodes = [row["episode"] for row in rows]
    assert len({len(episode.turns) for episode in episodes}) == 3
    expected = plain_gradient(
        tiny_model(), *unpadded(output), [row["turn_of"] for row in rows], advantages_of(episodes, credit, **options)
    )
    assert max(float(gradient.abs().max()) for gradient in expected) > 1e-2
    assert largest_difference(trainer.gradients[0], expected) < 1e-6


def test_turn_level_and_trajectory_level_gradients_differ(tmp_path: Path) -> None:
    turn, trajectory = (trained(tmp_path, credit=credit) for credit in ("mt_grpo", "grpo_or"))
    assert unpadded(turn.recorded[0][1]) == unpadded(trajectory.recorded[0][1])
    assert largest_difference(turn.gradients[0], trajectory.gradients[0]) > 1e-3


def test_the_environments_tokens_are_attended_and_not_trained(tmp_path: Path) -> None:
    rows, output = trained(tmp_path).recorded[0]
    for row, completion in enumerate(unpadded(output)[1]):
        turn_of = torch.tensor(rows[row]["turn_of"])
        length = len(completion)
        assert length == len(turn_of)
        assert output["attention_mask" if "attention_mask" in output else "completion_mask"][row, :length].all()
        assert torch.equal(output["tool_mask"][row, :length].bool(), turn_of >= 0)
        assert not output["advantages"][row][:length][turn_of < 0].any()
        assert not output["advantages"][row][length:].any()
    assert any(-1 in row["turn_of"] for row in rows)


def test_the_members_of_a_group_play_the_same_task(tmp_path: Path) -> None:
    rows, _ = trained(tmp_path, num_generations=4).recorded[0]
    groups = [{row["episode"].turns[0].observation for row in rows[at : at + 4]} for at in range(0, 16, 4)]
    tasks = [{row["episode"].task for row in rows[at : at + 4]} for at in range(0, 16, 4)]
    assert all(len(group) == 1 for group in groups + tasks)
    assert len(set.union(*tasks)) == 4


def test_a_faulted_episode_has_no_influence(tmp_path: Path) -> None:
    trainer = trained(tmp_path, env_kwargs={"breaks": True}, max_turn_tokens=6)
    rows, output = trainer.recorded[0]
    episodes = [row["episode"] for row in rows]
    faulted = [episode.faulted for episode in episodes]
    assert 0 < sum(faulted) < 16
    kept = [row for row in range(16) if not faulted[row]]
    prompts, completions = unpadded(output)
    expected = plain_gradient(
        tiny_model(),
        [prompts[row] for row in kept],
        [completions[row] for row in kept],
        [rows[row]["turn_of"] for row in kept],
        advantages_of(episodes, "mt_grpo")[kept],
    )
    assert largest_difference(trainer.gradients[0], expected) < 1e-6
    logged = trainer.state.log_history[0]
    assert logged["faults"] == sum(faulted) / 16
    assert logged["return"] == pytest.approx(np.mean([episodes[row].total_reward for row in kept]))


def test_a_batch_of_faults_changes_nothing(tmp_path: Path) -> None:
    trainer = trained(tmp_path, AlwaysBroken, max_steps=2)
    assert largest_difference(parameters(trainer), list(tiny_model().parameters())) == 0.0
    logged = trainer.state.log_history[0]
    assert (logged["faults"], logged["dead_groups"], logged["loss"]) == (1.0, 1.0, 0.0)
    assert "return" not in logged


def test_accumulated_batches_give_the_gradient_of_the_whole(tmp_path: Path) -> None:
    trainer = trained(tmp_path, per_device_train_batch_size=4, gradient_accumulation_steps=4)
    rows, output = trainer.recorded[0]
    assert len(rows) == 16
    expected = plain_gradient(
        tiny_model(),
        *unpadded(output),
        [row["turn_of"] for row in rows],
        advantages_of([row["episode"] for row in rows], "mt_grpo"),
    )
    assert largest_difference(trainer.gradients[0], expected) < 1e-6


def test_gradient_checkpointing_changes_nothing(tmp_path: Path) -> None:
    plain, checkpointed = (trained(tmp_path, gradient_checkpointing=on) for on in (False, True))
    assert checkpointed.model.is_gradient_checkpointing
    assert unpadded(plain.recorded[0][1]) == unpadded(checkpointed.recorded[0][1])
    assert largest_difference(plain.gradients[0], checkpointed.gradients[0]) < 1e-6


def test_the_lm_head_meets_sampled_tokens_alone(tmp_path: Path) -> None:
    trainer = trained(tmp_path, max_steps=1)
    _, output = trainer.recorded[0]
    ids = torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1)
    mask = torch.cat([output["prompt_mask"], output["completion_mask"]], dim=1)
    sampled = output["tool_mask"] * output["completion_mask"]

    def logprobs() -> torch.Tensor:
        return trainer._get_per_token_logps_and_entropies(trainer.model, ids, mask, sampled.shape[1])[0].detach()

    everywhere = logprobs()
    with only_sampled_tokens(trainer.model, output["tool_mask"]):
        ours = logprobs()
    assert torch.equal(ours != 0, sampled.bool())
    assert torch.allclose(ours, everywhere * sampled, atol=1e-6)
    assert torch.equal(logprobs(), everywhere)


ADAPTERS: dict[str, Any] = {
    "LoRA": LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
    "prompt tuning": PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
}


@pytest.mark.parametrize("wrapping", ["plain", "gradient checkpointing", *ADAPTERS])
def test_the_lm_head_that_meets_sampled_tokens_alone_gives_the_same_gradient(tmp_path: Path, wrapping: str) -> None:
    """Held against TRL's own head: if TRL moves, this fails before anybody trains."""
    trainer = trained(tmp_path, max_steps=1, gradient_checkpointing=wrapping == "gradient checkpointing")
    _, output = trainer.recorded[0]
    ids = torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1)
    mask = torch.cat([output["prompt_mask"], output["completion_mask"]], dim=1)
    sampled = output["tool_mask"] * output["completion_mask"]
    model = get_peft_model(trainer.model, ADAPTERS[wrapping]) if wrapping in ADAPTERS else trainer.model
    model.train()

    def scored(spared: bool) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], int]:
        model.zero_grad()
        with FlopCounterMode(display=False) as flops:
            with only_sampled_tokens(model, output["tool_mask"]) if spared else nullcontext():
                values = trainer._get_per_token_logps_and_entropies(
                    model, ids, mask, sampled.shape[1], compute_entropy=True
                )
            logps, entropies = (value * sampled for value in values[:2])
            (logps.sum() + 0.1 * entropies.sum()).backward()
        gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
        return logps.detach(), entropies.detach(), gradients, flops.get_total_flops()

    logps, entropies, gradients, flops = scored(spared=True)
    expected_logps, expected_entropies, expected_gradients, all_flops = scored(spared=False)
    assert torch.allclose(logps, expected_logps, atol=1e-6)
    assert torch.allclose(entropies, expected_entropies, atol=1e-6)
    assert len(gradients) == len(expected_gradients) > 0
    for ours, expected in zip(gradients, expected_gradients, strict=True):
        assert torch.allclose(ours, expected, atol=1e-4)
    tokens, positions = int(sampled.sum()), int(ids.shape[0] * (ids.shape[1] - 1))
    assert tokens < positions
    assert flops < all_flops


def hooks_of(model: torch.nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_the_lm_head_is_whole_again_after_an_error(tmp_path: Path) -> None:
    trainer = trained(tmp_path, max_steps=1)
    _, output = trainer.recorded[0]
    ids = torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1)
    before = hooks_of(trainer.model)
    with pytest.raises(KeyboardInterrupt), only_sampled_tokens(trainer.model, output["tool_mask"]):
        raise KeyboardInterrupt
    with pytest.raises(RuntimeError, match="size"), only_sampled_tokens(trainer.model, output["tool_mask"][:, :1]):
        trainer._get_per_token_logps_and_entropies(trainer.model, ids[:3], torch.ones_like(ids[:3]), 2)
    assert hooks_of(trainer.model) == before
    with only_sampled_tokens(trainer.model, output["tool_mask"]):
        logits = trainer.model(input_ids=ids).logits
    assert logits.shape[:2] == ids.shape


def test_a_head_of_another_trl_is_refused(tmp_path: Path) -> None:
    trainer = trained(tmp_path, max_steps=1)
    _, output = trainer.recorded[0]
    ids = torch.cat([output["prompt_ids"], output["completion_ids"]], dim=1)
    forward = trainer.model.forward

    def other(*args: Any, shift_labels: Any = None, labels: Any = None, **kwargs: Any) -> Any:
        scored = forward(*args, shift_labels=shift_labels, **kwargs)
        scored.log_probs = scored.log_probs[:, :-1]
        return scored

    trainer.model.forward = other
    with (
        pytest.raises(RuntimeError, match=r"TRL .* is not what turnenv builds on"),
        only_sampled_tokens(trainer.model, output["tool_mask"]),
    ):
        trainer.model(input_ids=ids, labels=ids, fused_lm_head=True)


def test_training_changes_neither_the_environment_nor_the_warnings() -> None:
    code = """
        import os, warnings
        import accelerate, datasets, gymnasium.vector, gymnasium.wrappers, peft, torch, transformers, trl, trl.models
        from transformers import AutoTokenizer, DynamicCache, PreTrainedModel, TrainerCallback
        from trl import GRPOConfig, GRPOTrainer
        import turnenv.core
        before = dict(os.environ), list(warnings.filters)
        import turnenv.training
        assert before == (dict(os.environ), list(warnings.filters))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120)


def test_two_passes_over_a_batch_stay_finite_and_learn(tmp_path: Path) -> None:
    trainer = trained(tmp_path, num_iterations=2, max_steps=4, learning_rate=1e-2)
    assert len(trainer.recorded) == 2
    assert "old_per_token_logps" in trainer.recorded[0][1]
    assert all(np.isfinite(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    rows, output = trainer.recorded[0]
    expected = plain_gradient(
        tiny_model(),
        *unpadded(output),
        [row["turn_of"] for row in rows],
        advantages_of([row["episode"] for row in rows], "mt_grpo"),
    )
    assert largest_difference(trainer.gradients[0], expected) < 1e-6
    assert largest_difference(trainer.gradients[1], expected) > 1e-4


class StopAfter(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_training_stop = state.global_step >= self.step


def test_stop_and_resume_gives_the_same_parameters(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", max_steps=6, learning_rate=1e-2)
    settings = {"max_steps": 6, "learning_rate": 1e-2, "save_strategy": "steps", "save_steps": 3}
    stopped = Recorder(
        tiny_model(),
        KeyEnv,
        config(tmp_path / "parts", **settings),
        processing_class=word_tokenizer(),
        callbacks=[StopAfter(3)],
    )
    stopped.train()
    assert stopped.state.global_step == 3
    torch.manual_seed(1234)
    np.random.seed(1234)
    resumed = Recorder(
        tiny_model(seed=1), KeyEnv, config(tmp_path / "parts", **settings), processing_class=word_tokenizer()
    )
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == 6
    assert largest_difference(parameters(whole), parameters(resumed)) == 0.0
    assert largest_difference(parameters(whole), parameters(stopped)) > 0.0


def test_lora_trains_the_adapter_alone(tmp_path: Path) -> None:
    adapter = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.0)
    trainer = trained(tmp_path, peft_config=adapter, learning_rate=1e-2, max_steps=2, gradient_checkpointing=True)
    before = dict(tiny_model().named_parameters())
    adapted = 0
    for name, parameter in trainer.model.named_parameters():
        if "lora" in name:
            adapted += int(parameter.detach().abs().sum() > 0 and "lora_B" in name)
        else:
            plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
            assert torch.equal(parameter, before[plain]), name
    assert adapted == 4


def test_evaluation_plays_each_seed_once_in_its_own_environment(tmp_path: Path) -> None:
    trainer = Recorder(
        tiny_model(),
        KeyEnv,
        config(tmp_path, eval_strategy="steps", eval_steps=1, num_eval_seeds=12, per_device_eval_batch_size=8),
        processing_class=word_tokenizer(),
        eval_env_kwargs={"max_turns": 1},
    )
    trainer.train()
    logged = next(entry for entry in trainer.state.log_history if "eval_return" in entry)
    assert logged["eval_turns"] == 1.0
    assert {"eval_success", "eval_turn_reward/right", "eval_outcome/last"} <= set(logged)
    sizes = [len(rows) for rows, _ in trainer.recorded]
    assert sizes == [16, 8, 4]
    seeds = [[row["seed"] for row in rows] for rows, _ in trainer.recorded]
    assert len(set(seeds[1] + seeds[2])) == 12
    assert not set(seeds[0]) & set(seeds[1] + seeds[2])


def test_tasks_of_the_dataset_are_played(tmp_path: Path) -> None:
    trainer = Recorder(
        tiny_model(),
        KeyEnv,
        config(tmp_path),
        processing_class=word_tokenizer(),
        train_dataset=seed_dataset(2, tasks=[7, 11]),
    )
    trainer.train()
    assert {row["episode"].task for row in trainer.recorded[0][0]} == {7, 11}


def test_max_turns_and_env_kwargs_reach_the_environment(tmp_path: Path) -> None:
    rows, _ = trained(tmp_path, env_kwargs={"max_turns": 5}, max_turns=1).recorded[0]
    assert {len(row["episode"].turns) for row in rows} == {1}


def test_an_estimator_may_be_a_function(tmp_path: Path) -> None:
    def first_turn_only(batch: TurnBatch, *, size: float) -> Any:
        return size * batch.turn_mask * (np.arange(batch.turn_mask.shape[1]) == 0)

    trainer = trained(tmp_path, credit_function=first_turn_only, credit_kwargs={"size": 3.0})
    rows, output = trainer.recorded[0]
    for row, turns in enumerate(row["turn_of"] for row in rows):
        assert output["advantages"][row, : len(turns)].tolist() == [3.0 * (turn == 0) for turn in turns]


def test_an_estimator_remembers_training_and_nothing_else(tmp_path: Path) -> None:
    estimator, expected = AlignmentWeighted(), AlignmentWeighted()
    evaluation = {"eval_strategy": "steps", "eval_steps": 1, "num_eval_seeds": 8, "per_device_eval_batch_size": 8}
    trainer = trained(tmp_path, credit_function=estimator, max_steps=2, **evaluation)
    sizes = [len(rows) for rows, _ in trainer.recorded]
    assert sizes == [16, 8, 16, 8]
    for rows, _ in trainer.recorded[::2]:
        expected(turn_batch([row["episode"] for row in rows], 8))
    assert estimator.remembered() == expected.remembered()
    assert estimator.alignment.evidence.sum() > 0.0


def test_what_an_estimator_remembers_survives_a_checkpoint(tmp_path: Path) -> None:
    straight, before, after = (AlignmentWeighted() for _ in range(3))
    settings = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2}
    trained(tmp_path / "whole", credit_function=straight, **settings)

    def trainer(credit: AlignmentWeighted, **more: Any) -> Recorder:
        return Recorder(
            tiny_model(),
            KeyEnv,
            config(tmp_path / "parts", **settings),
            processing_class=word_tokenizer(),
            credit=credit,
            **more,
        )

    trainer(before, callbacks=[StopAfter(2)]).train()
    assert before.remembered() != straight.remembered()
    trainer(after).train(resume_from_checkpoint=True)
    assert after.remembered() == straight.remembered()


def test_what_is_logged(tmp_path: Path) -> None:
    trainer = trained(tmp_path)
    episodes = [row["episode"] for row in trainer.recorded[0][0]]
    logged = trainer.state.log_history[0]
    assert logged["return"] == pytest.approx(np.mean([episode.total_reward for episode in episodes]))
    assert logged["turn_reward/right"] == pytest.approx(np.mean([sum(episode.turn_rewards) for episode in episodes]))
    assert logged["turns"] == np.mean([len(episode.turns) for episode in episodes])
    assert logged["success"] == np.mean([episode.outcome.success for episode in episodes])
    taken = [
        advantage[1]
        for advantage, e in zip(advantages_of(episodes, "mt_grpo"), episodes, strict=True)
        if len(e.turns) > 1
    ]
    assert logged["advantage/turn_2/mean_abs"] == pytest.approx(np.mean(np.abs(taken)))
    assert "tool_use" not in logged


def test_a_moved_seam_fails_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = GRPOTrainer._generate_and_score_completions

    def without_mask(self: Any, inputs: Any) -> Any:
        output = original(self, inputs)
        del output["tool_mask"]
        return output

    monkeypatch.setattr(GRPOTrainer, "_generate_and_score_completions", without_mask)
    with pytest.raises(RuntimeError, match=r"TRL .* is not what turnenv builds on: env_mask no longer.*trl>=1\.14"):
        trained(tmp_path)


def test_what_cannot_work_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no estimator is named 'mt_gppo'; did you mean"):
        TurnGRPOTrainer(tiny_model(), KeyEnv, config(tmp_path, credit="mt_gppo"), processing_class=word_tokenizer())
    with pytest.raises(ValueError, match="mt_grpo has no option 'lamda'; did you mean 'lam'"):
        TurnGRPOTrainer(
            tiny_model(), KeyEnv, config(tmp_path, credit_kwargs={"lamda": 1}), processing_class=word_tokenizer()
        )
    with pytest.raises(ValueError, match="pass processing_class="):
        TurnGRPOTrainer(tiny_model(), KeyEnv, config(tmp_path))
    # No model is looked for before the environment's arguments are known to fit.
    for where in ("env_kwargs", "eval_env_kwargs"):
        with pytest.raises(ValueError, match=f"^{where}: turnenv/GuessNumber-v0 has no argument 'hihg'; did you mean"):
            TurnGRPOTrainer("nowhere", "turnenv/GuessNumber-v0", config(tmp_path), **{where: {"hihg": 9}})


@pytest.mark.parametrize("credit", ["oracle", "vine_ppo", "tree_backup"])
def test_an_estimator_that_training_cannot_supply_is_refused_with_the_configuration(
    tmp_path: Path, credit: str
) -> None:
    with pytest.raises(ValueError, match=f"^{credit} needs .*, which training does not supply; it runs in the credit"):
        config(tmp_path, credit=credit)


def test_batches_of_training_have_the_fields_that_are_promised() -> None:
    episodes = collect("turnenv/GuessNumber-v0", Scripted(lambda: lambda seen: "7"), [0, 0])
    filled = {name for name in OPTIONAL_FIELDS if getattr(turn_batch(episodes, 2), name) is not None}
    assert filled == TRAINING_FIELDS
    valued = turn_batch(episodes, 2, [[0.5] * (len(episode.turns) + 1) for episode in episodes])
    assert {name for name in OPTIONAL_FIELDS if getattr(valued, name) is not None} == CRITIC_FIELDS


def test_an_estimator_of_ones_own_is_named_as_on_every_command_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def ones(batch, *, size=1.0):\n    return size * batch.turn_mask\n")
    named = trained(tmp_path / "named", credit=f"{tmp_path / 'mine.py'}:ones", credit_kwargs={"size": 2.0})
    _, output = named.recorded[0]
    assert set(output["advantages"].unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_resuming_in_the_middle_of_a_batch_is_exact(tmp_path: Path, stop: int) -> None:
    reused = {"num_iterations": 2, "per_device_train_batch_size": 8, "steps_per_generation": 2, "num_generations": 8}
    settings = {"max_steps": 8, "learning_rate": 1e-2, "save_strategy": "steps", "save_steps": 1, **reused}
    whole = trained(tmp_path / "whole", **settings)
    trained(tmp_path / "parts", callbacks=[StopAfter(stop)], **settings)
    torch.manual_seed(1234)
    resumed = Recorder(
        tiny_model(seed=1), KeyEnv, config(tmp_path / "parts", **settings), processing_class=word_tokenizer()
    )
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == 8
    assert len(whole.recorded) == 2
    assert len(resumed.recorded) == (1 if stop < 5 else 0)
    assert largest_difference(parameters(whole), parameters(resumed)) == 0.0
