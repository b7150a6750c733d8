"""`turnenv train` and the recipes: from a command line to a saved model; siblings differ in the estimator alone."""

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
import agents.mt_ppo
import baselines.grpo_mr
import baselines.grpo_or
import baselines.ppo_mr
import baselines.ppo_or
from turnenv import collect
from turnenv.commands.main import main
from turnenv.training import ChatPolicy
from turnenv.training.recipe import parse

pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning")

ROOT = Path(__file__).parent.parent
RECIPES = {
    "mt_grpo": agents.mt_grpo.main,
    "grpo_or": baselines.grpo_or.main,
    "grpo_mr": baselines.grpo_mr.main,
    "mt_ppo": agents.mt_ppo.main,
    "ppo_or": baselines.ppo_or.main,
    "ppo_mr": baselines.ppo_mr.main,
}


def arguments(model: Path, folder: Path, *more: str) -> list[str]:
    small = "--use_cpu --per_device_train_batch_size 16 --num_generations 8 --max_steps 2 --max_turn_tokens 4"
    quiet = "--disable_tqdm True --logging_steps 1 --learning_rate 1e-2 --save_strategy no --env turnenv/GuessNumber-v0"
    return ["--model", str(model), "--output_dir", str(folder), *small.split(), *quiet.split(), *more]


# The six differ in an estimator and a critic; one with a critic stands for the others of its kind.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in ("ppo_or", "ppo_mr") else name for name in RECIPES]
)
def test_a_recipe_trains_saves_and_says_where(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny_policy(tmp_path / "tiny")
    assert RECIPES[name](arguments(model, tmp_path / "run", "--env_kwargs", '{"high": 10}')) == 0
    said = capsys.readouterr().out
    assert said.split()[:4] == ["first", "step", "last", "step"]
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
    assert agents.mt_grpo.main([*given, str(tmp_path / "run.yaml")]) == 0
    saved = json.loads((tmp_path / "run" / "adapter_config.json").read_text())
    assert saved["r"] == 2


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny_policy(tmp_path / "tiny")
    given = arguments(model, tmp_path / "run", "--save_strategy", "steps", "--save_steps", "1")
    assert agents.mt_grpo.main(given) == 0
    checkpoint = str(tmp_path / "run" / "checkpoint-1")
    again = arguments(model, tmp_path / "again", "--resume_from_checkpoint", checkpoint)
    assert agents.mt_grpo.main(again) == 0
    whole, resumed = (AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("run", "again"))
    assert torch.equal(whole.lm_head.weight, resumed.lm_head.weight)


def test_siblings_differ_in_a_few_lines() -> None:
    def code(main: Callable[..., None]) -> list[str]:
        lines = Path(sys.modules[main.__module__].__file__ or "").read_text().split('"""')[2:]
        return '"""'.join(lines).splitlines()

    for first, others in (("mt_grpo", ("grpo_or", "grpo_mr")), ("mt_ppo", ("ppo_or", "ppo_mr"))):
        ours = code(RECIPES[first])
        for name in others:
            other = code(RECIPES[name])
            assert len(ours) == len(other)
            assert sum(a != b for a, b in zip(ours, other, strict=True)) <= 3


def test_an_option_on_the_command_line_keeps_the_recipes_others() -> None:
    defaults = {"credit": "turn_gae", "credit_kwargs": {"rewards": "outcome"}}
    _, args, _ = parse(["--use_cpu", "--credit_kwargs", '{"lam": 1.0}'], **defaults)
    assert args.credit_options == {"rewards": "outcome", "lam": 1.0}
    _, other, _ = parse(["--use_cpu", "--credit", "grpo_or"], **defaults)
    assert other.credit_options == {}


def test_the_nano_policy_has_defaults_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = save_tiny_policy(tmp_path / "agents" / "nano")
    monkeypatch.chdir(tmp_path)
    _, nano, _ = parse(["--use_cpu"], credit="grpo_or")
    recipe, other, _ = parse(["--use_cpu", "--model", str(folder)], credit="grpo_or")
    assert (nano.learning_rate, nano.gradient_checkpointing) == (1e-3, False)
    assert (other.learning_rate, other.gradient_checkpointing) == (1e-6, True)
    assert (nano.credit, other.credit, recipe.model) == ("grpo_or", "grpo_or", str(folder))


MISTAKES = {
    "--model agents/nan": "there is no model in agents/nan; did you mean agents/nano?",
    "--model ./nowhere": "there is no model in ./nowhere; pass a folder with a config.json, or an id of the hub",
    "--model runs": "the folder runs holds no model: it has no config.json",
    "--credit mtgrpo": "no estimator is named 'mtgrpo'; did you mean 'mt_grpo'",
    "--credit oracle": "oracle needs true_advantages",
    '--credit mt_grpo --credit_kwargs {"lamb":1}': "mt_grpo has no option 'lamb'",
    "--env GuesNumber": "no environment 'GuesNumber' is registered; did you mean GuessNumber",
    "--env_kwargs {high:4}": "--env_kwargs is not JSON",
    "--eval_env_kwargs [4]": "--eval_env_kwargs must be a JSON object",
    '--env GuessNumber --env_kwargs {"hihg":4}': "--env_kwargs: turnenv/GuessNumber-v0 has no argument 'hihg'; did you",
    '--env GuessNumber --eval_env_kwargs {"high":"9"}': "--eval_env_kwargs: high of turnenv/GuessNumber-v0 takes int",
    "--credit vine_ppo": "vine_ppo needs values from Monte-Carlo continuations",
    "--critic prob --credit turn_gae": "critic='prob' is not one of 'probe', 'model'; did you mean 'probe'",
    '--critic_kwargs {"buffers":2}': "critic_kwargs has no option 'buffers'; did you mean 'buffer'",
    "--credit nowhere.py:f": "there is no file nowhere.py",
}
MISTAKES_THAT_TRL_READS = {
    "--lerning_rate 3": "there is no argument '--lerning_rate'; did you mean --learning_rate",
    "--max_steps many": "argument --max_steps/--max-steps: invalid int value: 'many'",
    "--generation_batch_size 8": "generation_batch_size (8) must be divisible by",
    "--config nowhere.yaml": "nowhere.yaml",
    "--max_turns 0": "max_turns=0 must be at least 1",
    "--config named.yaml": "no estimator is named 'mtgrpo'",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a model in `agents/nano`, and one that holds none."""
    save_tiny_policy(tmp_path / "agents" / "nano")
    (tmp_path / "runs").mkdir()
    (tmp_path / "named.yaml").write_text("credit: mtgrpo\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_mistake_is_one_line_before_trl_is_imported(folder: Path) -> None:
    """All in one process: the first that imported one of them would show in its line and in all that follow."""
    code = "import sys; from turnenv.commands.main import main\n"
    code += "for mistake in sys.argv[1:]: print(main(['train', *mistake.split()]), "
    code += "{'torch', 'trl', 'transformers'} & set(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code, *MISTAKES],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == ["2 set()"] * len(MISTAKES)
    for line, said in zip(ran.stderr.splitlines(), MISTAKES.values(), strict=True):
        assert said in line


@pytest.mark.parametrize(("mistake", "said"), (MISTAKES | MISTAKES_THAT_TRL_READS).items())
@pytest.mark.parametrize("run", [lambda given: main(["train", *given]), agents.mt_grpo.main], ids=["train", "recipe"])
def test_a_mistake_is_one_line_and_exit_code_2(
    run: Callable[[list[str]], int], mistake: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--use_cpu", *mistake.split()]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert (printed.err.count("\n"), printed.out) == (1, "")


def test_a_missing_nano_policy_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--use_cpu"]) == 2
    assert "run from the root of a clone of turnenv, or pass --model" in capsys.readouterr().err


def test_a_model_that_the_hub_cannot_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["train", "--use_cpu", "--model", "nobody/no-such-model"]) == 3
    printed = capsys.readouterr().err
    assert printed.startswith("turnenv: error: the model nobody/no-such-model cannot be loaded: ")
    assert printed.count("\n") == 1


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(torch=None, trl=None)\n"
        "from turnenv.commands.main import main\n"
        "sys.exit(main(['train', '--env', 'GuessNumber']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "turnenv: error: training needs torch, trl: pip install 'turnenv[train]'\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_prints_the_plan_and_writes_nothing(
    as_json: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = "--env GuessNumber --credit gdpo --max_turns 3 --credit_kwargs {} --use_cpu --dry-run".split()
    assert main(["train", *given, *(["--json"] if as_json else [])]) == 0
    printed = capsys.readouterr().out
    if as_json:
        plan = json.loads(printed)["plan"]
        assert (plan["env"], plan["credit"], plan["max_turns"]) == ("turnenv/GuessNumber-v0", "gdpo", 3)
        assert (plan["model"], plan["output_dir"], plan["learning_rate"]) == ("agents/nano", "runs/gdpo", 1e-3)
    else:
        assert "output_dir         runs/gdpo\n" in printed
    assert not list((folder / "runs").iterdir())


def test_the_report_is_all_of_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments(save_tiny_policy(tmp_path / "tiny"), tmp_path / "run", "--credit", "grpo_mr", "--json")
    assert main(["train", *given]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["output_dir"] == str(tmp_path / "run")
    assert set(report["first_step"]) == set(report["last_step"]) >= {"return", "success"}


def test_train_and_its_sibling_train_alike(tmp_path: Path) -> None:
    model = save_tiny_policy(tmp_path / "tiny")
    assert main(["train", *arguments(model, tmp_path / "train", "--credit", "mt_grpo")]) == 0
    assert agents.mt_grpo.main(arguments(model, tmp_path / "sibling")) == 0
    one, other = (AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("train", "sibling"))
    assert torch.equal(one.lm_head.weight, other.lm_head.weight)


def test_an_estimator_of_a_file_and_its_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "own.py").write_text("def plain(batch):\n    return batch.turn_rewards * batch.turn_mask\n")
    assert main("train --credit own.py:plain --use_cpu --dry-run --json".split()) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert (plan["credit"], plan["output_dir"]) == ("own.py:plain", "runs/plain")


@pytest.mark.slow
def test_accelerate_launches_training_on_two_processes(tmp_path: Path) -> None:
    launch = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
    given = arguments(save_tiny_policy(tmp_path / "tiny"), tmp_path / "run", "--ddp_backend", "gloo")
    run = subprocess.run(
        [sys.executable, *launch.split(), "--dynamo_backend", "no", "-m", "turnenv", "train", *given],
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
