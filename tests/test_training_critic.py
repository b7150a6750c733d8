"""The critic in the trainer: where it reads, in which order it learns, and that nothing else is changed by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from key_world import (
    PAD,
    AlwaysBroken,
    KeyEnv,
    Recorder,
    config,
    largest_difference,
    tiny_model,
    unpadded,
    word_tokenizer,
)
from peft import LoraConfig, get_peft_model
from transformers import TrainerCallback

from turnenv import Reply, TextEnv
from turnenv.credit import TurnBatch, discounted_sums, turn_gae
from turnenv.credit.critic_options import CriticOptions
from turnenv.credit.returns import merged_rewards
from turnenv.training.critic import Critic
from turnenv.training.critic_making import policy_states
from turnenv.training.critic_model import ValueModel
from turnenv.training.memory import CRITIC_FILE
from turnenv.training.reading import Reading, reading, readings_of, states_at

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]
CRITICS = ("probe", "model")


def made(folder: Path, env: Any = KeyEnv, model: Any = None, **changes: Any) -> Recorder:
    arguments = {name: changes.pop(name) for name in ("env_kwargs", "peft_config", "callbacks") if name in changes}
    if "function" in changes:
        arguments["credit"] = changes.pop("function")
    elif "credit" not in changes:
        changes["credit"] = "turn_gae"
    args = config(folder, **changes)
    return Recorder(model or tiny_model(), env, args, processing_class=word_tokenizer(), **arguments)


def trained(folder: Path, *args: Any, **changes: Any) -> Recorder:
    trainer = made(folder, *args, **changes)
    trainer.train()
    return trainer


def parameters(trainer: Recorder) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trainer.model.parameters()]


class Stub:
    """Gives the values that it was told, and keeps what it was asked to learn."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values, self.learned = values, list[Any]()

    def read(self, readings: Sequence[Reading]) -> list[list[float]]:
        return [list(self.values[: len(each.positions)]) for each in readings]

    def fit(self, targets: Sequence[Any], groups: Sequence[int]) -> None:
        self.learned.append([row.tolist() for row in targets])

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""


class Paid(TextEnv[list[float]]):
    """Pays what it was made with, whatever is said; with an outcome it ends by itself, without one at the limit."""

    system_prompt = "say key"

    def __init__(self, pays: Sequence[float], outcome: float | None = None, max_turns: int = 9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pays, self.outcome, self.max_turns = pays, outcome, max_turns

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[list[float], str]:
        return list(self.pays), "key 0"

    def respond(self, state: list[float], action: str, rng: np.random.Generator) -> Reply:
        rewards = {"paid": state.pop(0)}
        if state or self.outcome is None:
            return Reply.turn("obs 1", rewards)
        return Reply.final(".", rewards, outcome={"end": self.outcome}, success=True)


def of_turns(trainer: Recorder, row: int = 0) -> list[float]:
    """The advantage of each turn of an episode, off its tokens."""
    rows, output = trainer.recorded[0]
    turn_of = rows[row]["turn_of"]
    return [float(output["advantages"][row, turn_of.index(turn)]) for turn in range(max(turn_of) + 1)]


# 1: where values are read


def test_a_value_is_read_at_the_token_before_the_turn() -> None:
    # Turn 1 was silent: its observation did not fit.
    read = reading([9, 9, 9], [1, 1, 8, 8, 2], [0, 0, -1, -1, 2], 3)
    assert read.positions == [2, 7, 6]
    assert reading([9, 9, 9], [1, 1], [0, 0], 1, after=[8, 8]) == Reading([9, 9, 9, 1, 1, 8, 8], [2, 6])


@pytest.mark.parametrize("critic", CRITICS)
def test_a_value_depends_on_what_came_before_its_turn_alone(tmp_path: Path, critic: str) -> None:
    trainer = made(tmp_path, critic=critic)
    model = tiny_model().eval()
    if critic == "probe":
        read = policy_states(model, trainer.accelerator, rows=8, pad_id=0)
    else:
        learner = ValueModel(model.base_model, CriticOptions(learning_rate=1.0), trainer.accelerator, rows=8, pad_id=0)
        torch.nn.init.normal_(learner.head.weight)

        def read(readings: Sequence[Reading]) -> torch.Tensor:
            return torch.tensor([value for row in learner.read(readings) for value in row])[:, None]

    prompt, completion, turn_of = (
        [4, 5, 6, 7],
        [8, 9, 3, 4, 5, 6, 10, 3, 4, 5, 11],
        [0, 0, 0, -1, -1, -1, 1, 1, -1, -1, 2],
    )
    whole = reading(prompt, completion, turn_of, 3)
    ragged = reading([4, 5], [6, 7], [0, 0], 1)

    def values(changed: Reading) -> torch.Tensor:
        return read([changed, ragged])

    before = values(whole)
    for turn, position in enumerate(whole.positions):
        for index in range(len(whole.ids)):
            ids = list(whole.ids)
            ids[index] = 12 if ids[index] != 12 else 13
            after = values(Reading(ids, whole.positions))
            assert torch.equal(after[turn], before[turn]) == (index > position), (turn, index)


def test_an_episode_gets_the_same_values_whatever_it_is_padded_with(tmp_path: Path) -> None:
    trainer = trained(tmp_path)
    rows, output = trainer.recorded[0]
    readings = readings_of(rows, output, None, None)
    assert [len(each.positions) for each in readings] == [len(row["episode"].turns) for row in rows]
    prompts, completions = unpadded(output)
    states = policy_states(trainer.model, trainer.accelerator, rows=16, pad_id=0)(readings)
    alone = tiny_model()
    alone.load_state_dict(trainer.model.state_dict())
    at = 0
    for row, prompt, completion in zip(rows, prompts, completions, strict=True):
        hidden = alone.model(input_ids=torch.tensor([prompt + completion])).last_hidden_state[0].detach()
        for turn in range(len(row["episode"].turns)):
            due = hidden[len(prompt) + row["turn_of"].index(turn) - 1]
            assert torch.allclose(states[at], due, atol=1e-5)
            at += 1


def test_equal_beginnings_are_read_once_and_nothing_after_the_last_position() -> None:
    backbone, widths = tiny_model().base_model, list[torch.Size]()

    def call(**inputs: torch.Tensor) -> Any:
        widths.append(inputs["input_ids"].shape)
        return backbone(**inputs)

    readings = [
        Reading([4, 5, 6, 7, 8, 9], [1, 3]),
        Reading([4, 5, 6, 7, 10], [3]),
        Reading([4, 5, 6], []),
        Reading([], []),
        Reading([4, 5, 6, 7], [1, 3]),
        Reading([4, 6, 6], [1, 0]),
    ]
    states = states_at(backbone, call, readings, PAD, torch.device("cpu"))
    due = [
        backbone(input_ids=torch.tensor([each.ids])).last_hidden_state[0, position]
        for each in readings
        for position in each.positions
    ]
    assert torch.allclose(states, torch.stack(due), atol=1e-5)
    # [4, 5, 6, 7], what is read of nothing ([4], []), and [4, 6].
    assert widths == [(4, 4)]
    alone = states_at(backbone, backbone, [Reading([], [])], PAD, torch.device("cpu"))
    assert alone.shape == (0, 32)


# 2, 3: what the estimator makes of the values


def test_hand_numbers_come_out_of_the_trainer(tmp_path: Path) -> None:
    trainer = made(
        tmp_path, Paid, env_kwargs={"pays": [1.0, 0.0, 2.0], "outcome": 3.0}, credit_kwargs={"gamma": 0.9, "lam": 0.5}
    )
    stub = Stub([0.5, 1.0, 1.5])
    trainer._critic = Critic(stub, CriticOptions(), gamma=0.9)
    trainer.train()
    assert of_turns(trainer) == pytest.approx([2.26625, 1.925, 3.5], abs=1e-6)
    assert stub.learned[0][0] == pytest.approx([1.0 + 0.81 * 5.0, 0.9 * 5.0, 5.0])


@pytest.mark.parametrize(
    ("bootstrap", "due"), [(True, [1.254, 1.32]), (False, [0.5 + 0.9 * 0.4 - 0.2 + 0.45 * 0.6, 0.6])]
)
def test_a_cut_episode_is_worth_the_state_it_was_cut_in_only_if_asked_for(
    tmp_path: Path, bootstrap: bool, due: list[float]
) -> None:
    changes = {"max_turns": 2, "critic_kwargs": {"bootstrap": bootstrap}, "credit_kwargs": {"gamma": 0.9, "lam": 0.5}}
    trainer = made(tmp_path, Paid, env_kwargs={"pays": [0.5, 1.0, 9.0]}, **changes)
    stub = Stub([0.2, 0.4, 0.8])
    trainer._critic = Critic(stub, trainer.args.critic_options, gamma=0.9)
    trainer.train()
    assert of_turns(trainer) == pytest.approx(due, abs=1e-6)
    end = 0.9 * 0.8 * bootstrap
    assert stub.learned[0][0] == pytest.approx([0.5 + 0.9 * (1.0 + end), 1.0 + end])
    assert trainer.state.log_history[0].get("critic/bootstrapped") == (1.0 if bootstrap else None)


def test_the_state_an_episode_was_cut_in_is_read_after_its_last_observation(tmp_path: Path) -> None:
    trainer = trained(tmp_path, Paid, env_kwargs={"pays": [0.5, 1.0, 9.0]}, max_turns=2)
    rows, output = trainer.recorded[0]
    (prompt, *_), (completion, *_) = unpadded(output)
    cut, *_ = readings_of(rows, output, trainer.chat_frame, None)
    text = word_tokenizer().decode(cut.ids[len(prompt) + len(completion) :])
    assert text.endswith("obs 1 <|im_end|> <|im_start|> assistant")
    assert cut.positions[-1] == len(cut.ids) - 1
    full, *_ = readings_of(rows, output, trainer.chat_frame, len(prompt) + len(completion))
    assert len(full.positions) == 2


def test_a_critic_that_knows_nothing_leaves_the_returns(tmp_path: Path) -> None:
    def returns(batch: TurnBatch) -> Any:
        return discounted_sums(merged_rewards(batch), 1.0)

    ppo = trained(tmp_path / "ppo", credit_kwargs={"gamma": 1.0, "lam": 1.0})
    plain = trained(tmp_path / "plain", function=returns)
    assert unpadded(ppo.recorded[0][1]) == unpadded(plain.recorded[0][1])
    assert torch.equal(ppo.recorded[0][1]["advantages"], plain.recorded[0][1]["advantages"])
    assert largest_difference(parameters(ppo), parameters(plain)) == 0.0


# 6, 7: order, and who takes part


@pytest.mark.parametrize("critic", CRITICS)
def test_the_critic_learns_from_a_batch_after_it_was_scored(tmp_path: Path, critic: str) -> None:
    trainer = trained(tmp_path, critic=critic, max_steps=2, credit_kwargs={"gamma": 1.0, "lam": 1.0})
    first, second = trainer.recorded
    rows, output = first
    assert of_turns(trainer)[0] == pytest.approx(rows[0]["episode"].total_reward)
    logged = trainer.state.log_history
    assert logged[0]["critic/value_mean"] == 0.0
    assert logged[1]["critic/value_mean"] != 0.0
    assert output["advantages"].any()
    assert second[1]["advantages"].any()


def test_faulted_episodes_take_no_part(tmp_path: Path) -> None:
    trainer = made(tmp_path, env_kwargs={"breaks": True}, max_turn_tokens=6)

    class Unknown(Stub):
        def read(self, readings: Sequence[Reading]) -> list[list[float]]:
            faulted = [row["episode"].faulted for row in trainer._rows]
            return [
                [float("nan") if fault else 0.25] * len(each.positions)
                for each, fault in zip(readings, faulted, strict=True)
            ]

    stub = Unknown([])
    trainer._critic = Critic(stub, CriticOptions())
    trainer.train()
    rows, output = trainer.recorded[0]
    faulted = [row["episode"].faulted for row in rows]
    assert 0 < sum(faulted) < 16
    assert output["advantages"].isfinite().all()
    assert [len(row) for row in stub.learned[0]] == [
        0 if row["episode"].faulted else len(row["episode"].turns) for row in rows
    ]


@pytest.mark.parametrize("critic", CRITICS)
def test_a_batch_of_faults_teaches_the_critic_nothing(tmp_path: Path, critic: str) -> None:
    trainer = trained(tmp_path, AlwaysBroken, critic=critic, max_steps=2)
    assert trainer.state.log_history[0]["faults"] == 1.0
    assert not [name for name in trainer.state.log_history[0] if name.startswith("critic/")]
    assert largest_difference(parameters(trainer), list(tiny_model().parameters())) == 0.0


# 9 to 13: nothing else is changed


@pytest.mark.parametrize("critic", CRITICS)
def test_an_adapter_is_trained_as_without_a_critic(tmp_path: Path, critic: str) -> None:
    adapter = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.0)

    def trainable(trainer: Recorder) -> dict[str, bool]:
        return {name: parameter.requires_grad for name, parameter in trainer.model.named_parameters()}

    plain = made(tmp_path, credit="grpo_or", peft_config=adapter)
    trainer = made(tmp_path, critic=critic, peft_config=adapter, max_steps=3, learning_rate=1e-2)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters() if not p.requires_grad}
    assert trainable(trainer) == trainable(plain)
    trainer.train()
    assert trainable(trainer) == trainable(plain)
    assert all(torch.equal(dict(trainer.model.named_parameters())[name], value) for name, value in before.items())


def test_a_critic_of_its_own_starts_from_the_policy_with_its_adapter_merged(tmp_path: Path) -> None:
    adapted = get_peft_model(tiny_model(), LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    trainer = made(tmp_path, model=adapted, critic="model")
    backbone = trainer._critic._learner.backbone  # type: ignore[union-attr]
    ids = torch.tensor([[4, 5, 6]])
    ours = backbone(input_ids=ids).last_hidden_state
    assert torch.allclose(ours, adapted.base_model.model.model(input_ids=ids).last_hidden_state, atol=1e-5)
    assert not torch.allclose(ours, tiny_model().model(input_ids=ids).last_hidden_state, atol=1e-3)


class StopAfter(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_training_stop = state.global_step >= 3


@pytest.mark.parametrize("critic", CRITICS)
def test_stop_and_resume_elsewhere_gives_the_same_policy_and_critic(tmp_path: Path, critic: str) -> None:
    settings = {"critic": critic, "max_steps": 6, "learning_rate": 1e-2}
    saves = {"save_strategy": "steps", "save_steps": 3}
    whole = trained(tmp_path / "whole", **settings)
    trained(tmp_path / "parts", callbacks=[StopAfter()], **settings, **saves)
    torch.manual_seed(1234)
    checkpoint = tmp_path / "parts" / "checkpoint-3"
    resumed = made(tmp_path / "elsewhere", model=tiny_model(seed=1), **settings)
    resumed.train(resume_from_checkpoint=str(checkpoint))
    assert largest_difference(parameters(whole), parameters(resumed)) == 0.0
    ours, due = (flat(trainer._critic.state_dict()) for trainer in (resumed, whole))  # type: ignore[union-attr]
    assert len(ours) == len(due)
    assert all(torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in zip(ours, due, strict=True))
    (checkpoint / CRITIC_FILE).unlink()
    with pytest.raises(ValueError, match="checkpoint-3 has no critic"):
        made(tmp_path / "again", **settings).train(resume_from_checkpoint=str(checkpoint))


def flat(state: Any) -> list[Any]:
    if isinstance(state, Mapping):
        return [leaf for key in sorted(state, key=str) for leaf in flat(state[key])]
    return [leaf for each in state for leaf in flat(each)] if isinstance(state, list | tuple) else [state]


@pytest.mark.parametrize("critic", CRITICS)
def test_the_policy_is_saved_without_its_critic(tmp_path: Path, critic: str) -> None:
    plain = trained(tmp_path / "plain", credit="grpo_or")
    ppo = trained(tmp_path / "ppo", critic=critic)
    assert [name for name, _ in ppo.model.named_parameters()] == [name for name, _ in plain.model.named_parameters()]
    for trainer, name in ((plain, "plain"), (ppo, "ppo")):
        trainer.save_model(str(tmp_path / name / "saved"))
    plain_files, ppo_files = (
        sorted(path.name for path in (tmp_path / n / "saved").iterdir()) for n in ("plain", "ppo")
    )
    assert plain_files == ppo_files


@pytest.mark.parametrize("critic", CRITICS)
def test_equal_episodes_get_equal_values_in_train_mode(tmp_path: Path, critic: str) -> None:
    model = tiny_model(attention_dropout=0.5)
    trainer = trained(tmp_path, model=model, critic=critic, max_steps=2)
    readings = readings_of(*trainer.recorded[-1], None, None)
    learner = trainer._critic._learner  # type: ignore[union-attr]
    trainer.model.train()
    first = learner.read(readings)
    assert np.ptp(np.concatenate(first)) > 0.0 or critic == "probe"
    assert first == learner.read(readings)
    assert trainer.model.training


@pytest.mark.parametrize("critic", CRITICS)
def test_warming_up_leaves_the_policy_as_it_is(tmp_path: Path, critic: str) -> None:
    trainer = trained(tmp_path, critic=critic, critic_kwargs={"warmup_batches": 2}, max_steps=2)
    assert largest_difference(parameters(trainer), list(tiny_model().parameters())) == 0.0
    assert trainer._critic.state_dict()["batches"] == 2  # type: ignore[union-attr]
    further = trained(tmp_path, critic=critic, critic_kwargs={"warmup_batches": 2}, max_steps=3)
    assert largest_difference(parameters(further), list(tiny_model().parameters())) > 0.0


def test_the_critic_learns_of_training_alone(tmp_path: Path) -> None:
    evaluation = {"eval_strategy": "steps", "eval_steps": 1, "num_eval_seeds": 8, "per_device_eval_batch_size": 8}
    trainer = trained(tmp_path, max_steps=2, **evaluation)
    assert [len(rows) for rows, _ in trainer.recorded] == [16, 8, 16, 8]
    assert trainer._critic.state_dict()["batches"] == 2  # type: ignore[union-attr]
    assert any("eval_critic/loss" in entry for entry in trainer.state.log_history)


def test_what_is_logged_was_measured_before_the_fit(tmp_path: Path) -> None:
    trainer = made(tmp_path, critic_kwargs={"lam": 1.0}, credit_kwargs={"gamma": 1.0})
    stub = Stub([0.5, 0.25, 0.75])
    trainer._critic = Critic(stub, CriticOptions())
    trainer.train()
    targets = np.concatenate(stub.learned[0])
    given = np.concatenate([[0.5, 0.25, 0.75][: len(row)] for row in stub.learned[0]])
    logged = trainer.state.log_history[0]
    assert logged["critic/loss"] == pytest.approx(((targets - given) ** 2).mean() / 2)
    assert logged["critic/explained_variance"] == pytest.approx(1 - (targets - given).var() / targets.var(), abs=1e-6)
    assert (logged["critic/value_mean"], logged["critic/target_mean"]) == pytest.approx((given.mean(), targets.mean()))


# The step of a critic of its own


@pytest.mark.parametrize("clip", [None, 0.1])
def test_a_critic_of_its_own_takes_the_step_of_the_mean_squared_error(tmp_path: Path, clip: float | None) -> None:
    options = CriticOptions(learning_rate=1e-2, passes=1, max_grad_norm=1e9, value_clip=clip)
    trainer = made(tmp_path)
    # In float64: Adam divides by the size of the gradient, which makes float32's rounding as large as 1e-5.
    learner = ValueModel(tiny_model().base_model.double(), options, trainer.accelerator, rows=2, pad_id=0)
    torch.nn.init.normal_(learner.head.double().weight)
    learner._fitted = True
    due = torch.nn.Linear(32, 1).double()
    due.load_state_dict(learner.head.state_dict())
    backbone = tiny_model().base_model.double()
    readings = [Reading([4, 5, 6, 7], [1, 3]), Reading([8, 9], [1]), Reading([10, 11, 12], [0, 2])]
    targets = [np.array([1.0, -1.0]), np.array([]), np.array([0.5, 2.0])]
    learner.read(readings)
    # A second step, so that values have moved from those that were read.
    for _ in range(2):
        learner.fit(targets, [0, 0, 0])
    weights = [*backbone.parameters(), *due.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=1e-2, eps=1e-5, weight_decay=0.0)

    def values(each: Reading) -> torch.Tensor:
        return due(backbone(input_ids=torch.tensor([each.ids])).last_hidden_state[0, each.positions]).squeeze(-1)

    before = [values(each).detach() for each in readings]
    for _ in range(2):
        losses = []
        for each, old, target in zip(readings, before, targets, strict=True):
            if not len(target):
                continue
            given, goal = values(each), torch.tensor(target)
            error = (given - goal) ** 2
            if clip is not None:
                error = torch.maximum(error, (old + (given - old).clamp(-clip, clip) - goal) ** 2)
            losses.append(error / 2)
        optimizer.zero_grad()
        torch.cat(losses).mean().backward()
        optimizer.step()
    ours = [*learner.backbone.parameters(), *learner.head.parameters()]
    assert largest_difference(ours, weights) < 1e-10


# Turn-PPO's setting, and what is refused


def test_every_episode_may_play_a_seed_of_its_own(tmp_path: Path) -> None:
    trainer = trained(tmp_path, distinct_seeds=True, num_generations=2)
    rows, output = trainer.recorded[0]
    assert len({row["seed"] for row in rows}) == 8
    assert len({row["episode"].task for row in rows}) > 8
    assert output["advantages"].any()
    with pytest.raises(ValueError, match="distinct_seeds=True: mt_grpo compares the episodes of a group"):
        made(tmp_path, credit="mt_grpo", distinct_seeds=True)


def test_an_estimator_of_ones_own_gets_values(tmp_path: Path) -> None:
    def one_step(batch: TurnBatch) -> Any:
        return turn_gae(batch, gamma=1.0, lam=0.0)

    trainer = trained(tmp_path / "asked", function=one_step, critic="probe", max_steps=2)
    assert "critic/loss" in trainer.state.log_history[0]
    one_step.needs = {"values"}  # type: ignore[attr-defined]
    trainer = trained(tmp_path / "declared", function=one_step)
    assert "critic/loss" in trainer.state.log_history[0]


def test_vine_ppo_takes_a_critic_if_it_is_named(tmp_path: Path) -> None:
    vine = trained(tmp_path / "vine", credit="vine_ppo", critic="probe", max_steps=2)
    gae = trained(tmp_path / "gae", credit_kwargs={"gamma": 1.0, "lam": 0.0}, max_steps=2)
    assert largest_difference(parameters(vine), parameters(gae)) == 0.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"credit": "vine_ppo"},
            "vine_ppo needs values from Monte-Carlo continuations, which training does not supply",
        ),
        ({"critic": "prob"}, "critic='prob' is not one of 'probe', 'model'; did you mean 'probe'"),
        ({"credit": "mt_grpo", "critic": "probe"}, "critic='probe' would not be read: mt_grpo needs no values"),
        ({"credit": "grpo_or", "critic_kwargs": {"lam": 1.0}}, "would not be read: grpo_or needs no critic"),
        ({"critic_kwargs": {"warmup": 1}}, "critic_kwargs has no option 'warmup'; did you mean 'warmup_batches'"),
        ({"critic": "probe", "critic_kwargs": {"passes": 1}}, "passes is no option of critic='probe'"),
        ({"critic": "model", "critic_kwargs": {"buffer": 1}}, "buffer is no option of critic='model'"),
        ({"critic_kwargs": {"lam": 1.5}}, "lam=1.5 is not a discount"),
        ({"critic_kwargs": {"buffer": 0}}, "buffer=0 must be a whole number of at least 1"),
        ({"critic": "model", "critic_kwargs": {"learning_rate": 0.0}}, "learning_rate=0.0 must be greater than 0"),
        ({"critic_kwargs": {"bootstrap": True}}, "bootstrap=true needs max_turns"),
        ({"credit_kwargs": {"rewards": "both"}}, "rewards='both' is not an option; choose one of 'turn', 'outcome'"),
    ],
)
def test_what_cannot_work_is_refused_before_a_model_is_loaded(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made(tmp_path, model="no/model", **wrong)


def test_a_replicated_critic_is_refused_where_the_policy_is_sharded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    args = config(tmp_path, credit="turn_gae")
    args.critic = "model"
    with pytest.raises(ValueError, match=r"critic='model' is replicated on every process.*critic='probe'"):
        args._check_critic()
