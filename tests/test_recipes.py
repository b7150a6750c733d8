"""The recipes: from a command line to a saved model, and siblings that differ in the estimator alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_policy import save_tiny_policy
from transformers import AutoModelForCausalLM, AutoTokenizer

import agents.mt_grpo
import baselines.grpo_mr
import baselines.grpo_or
from turnenv import collect
from turnenv.training import ChatPolicy
from turnenv.training.recipe import parse

pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning")

ROOT = Path(__file__).parent.parent
RECIPES = {
    "mt_grpo": agents.mt_grpo.main,
    "grpo_or": baselines.grpo_or.main,
    "grpo_mr": baselines.grpo_mr.main,
}


def arguments(model: Path, folder: Path, *more: str) -> list[str]:
    small = "--use_cpu --per_device_train_batch_size 16 --num_generations 8 --max_steps 2 --max_turn_tokens 4"
    quiet = "--disable_tqdm True --logging_steps 1 --learning_rate 1e-2 --save_strategy no --env turnenv/GuessNumber-v0"
    return ["--model", str(model), "--output_dir", str(folder), *small.split(), *quiet.split(), *more]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_saves_and_says_where(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny_policy(tmp_path / "tiny")
    RECIPES[name](arguments(model, tmp_path / "run", "--env_kwargs", '{"high": 10}'))
    said = capsys.readouterr().out
    assert f"model and tokenizer: {tmp_path / 'run'}" in said
    history = json.loads((tmp_path / "run" / "trainer_state.json").read_text())["log_history"]
    assert [entry["step"] for entry in history if "return" in entry] == [1, 2]
    assert json.loads((tmp_path / "run" / "all_results.json").read_text())["train_runtime"] > 0
    before, after = (AutoModelForCausalLM.from_pretrained(folder) for folder in (model, tmp_path / "run"))
    assert not torch.equal(before.lm_head.weight, after.lm_head.weight)
    played = collect("turnenv/GuessNumber-v0", ChatPolicy(after, AutoTokenizer.from_pretrained(tmp_path / "run")), [0])
    assert played[0].turns[0].token_ids


def test_lora_and_a_config_file(tmp_path: Path) -> None:
    model = save_tiny_policy(tmp_path / "tiny")
    (tmp_path / "run.yaml").write_text("credit_kwargs: {lam: 0.5}\nlora_r: 2\n")
    given = arguments(model, tmp_path / "run", "--use_peft", "--lora_target_modules", "q_proj", "v_proj", "--config")
    agents.mt_grpo.main([*given, str(tmp_path / "run.yaml")])
    saved = json.loads((tmp_path / "run" / "adapter_config.json").read_text())
    assert saved["r"] == 2


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny_policy(tmp_path / "tiny")
    given = arguments(model, tmp_path / "run", "--save_strategy", "steps", "--save_steps", "1")
    agents.mt_grpo.main(given)
    checkpoint = str(tmp_path / "run" / "checkpoint-1")
    again = arguments(model, tmp_path / "again", "--resume_from_checkpoint", checkpoint)
    agents.mt_grpo.main(again)
    whole, resumed = (AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("run", "again"))
    assert torch.equal(whole.lm_head.weight, resumed.lm_head.weight)


def test_siblings_differ_in_a_few_lines() -> None:
    def code(main: Callable[..., None]) -> list[str]:
        lines = Path(sys.modules[main.__module__].__file__ or "").read_text().split('"""')[2:]
        return '"""'.join(lines).splitlines()

    first = code(RECIPES["mt_grpo"])
    for name in ("grpo_or", "grpo_mr"):
        other = code(RECIPES[name])
        assert len(first) == len(other)
        assert sum(a != b for a, b in zip(first, other, strict=True)) <= 3


def test_the_nano_policy_has_defaults_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = save_tiny_policy(tmp_path / "agents" / "nano")
    monkeypatch.chdir(tmp_path)
    _, nano, _ = parse("", ["--use_cpu"], credit="grpo_or")
    recipe, other, _ = parse("", ["--use_cpu", "--model", str(folder)], credit="grpo_or")
    assert (nano.learning_rate, nano.gradient_checkpointing) == (1e-3, False)
    assert (other.learning_rate, other.gradient_checkpointing) == (1e-6, True)
    assert (nano.credit, other.credit, recipe.model) == ("grpo_or", "grpo_or", str(folder))


def test_a_missing_nano_policy_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        parse("", [])
    assert "run from the root of a clone of turnenv, or pass --model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--env_kwargs", "{max_turns: 4}"], "--env_kwargs is not JSON"),
        (["--env_kwargs", "[4]"], "--env_kwargs must be a JSON object"),
        (
            ["--env_kwargs", '{"max_trns": 4}'],
            "--env_kwargs: turnenv/GuessNumber-v0 has no argument 'max_trns'; did you",
        ),
        (
            ["--eval_env_kwargs", '{"high": "9"}'],
            "--eval_env_kwargs: high of turnenv/GuessNumber-v0 takes int; got '9'",
        ),
        (["--env", "turnenv/GuesNumber-v0"], "Environment `GuesNumber`"),
        (["--credit", "oracle"], "oracle needs true_advantages"),
        (["--credit", "mt_gpro"], "no estimator is named 'mt_gpro'; did you mean"),
        (["--credit", "nowhere.py:f"], "there is no file nowhere.py"),
        (["--credit_kwargs", '{"lamda": 1}'], "mt_grpo has no option 'lamda'; did you mean 'lam'"),
        (["--max_turn_tokens", "0"], "max_turn_tokens=0 must be at least 1"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_error_and_loads_no_model(
    more: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        agents.mt_grpo.main(arguments(tmp_path / "no model here", tmp_path / "run", *more))
    assert ended.value.code == 2
    assert f"error: {says}" in capsys.readouterr().err


@pytest.mark.slow
def test_accelerate_launches_a_recipe_on_two_processes(tmp_path: Path) -> None:
    launch = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
    given = arguments(save_tiny_policy(tmp_path / "tiny"), tmp_path / "run", "--ddp_backend", "gloo")
    run = subprocess.run(
        [sys.executable, *launch.split(), "--dynamo_backend", "no", "-m", "agents.mt_grpo", *given],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("model and tokenizer:") == 1
    history = json.loads((tmp_path / "run" / "trainer_state.json").read_text())["log_history"]
    assert history[0]["step"] == 1
    assert (tmp_path / "run" / "model.safetensors").exists()
