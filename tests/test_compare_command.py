import dataclasses
import json
import subprocess
import sys

import pytest
from benchmark_rows import row, settings
from tiny_policy import save_tiny_policy

from benchmarks.__main__ import main
from benchmarks.compare.command import plan
from benchmarks.compare.evaluation import held_out_plan
from benchmarks.compare.one_run import groups_path, transcripts_path
from benchmarks.compare.one_run import main as run_one
from benchmarks.compare.records import RowFile, Settings
from benchmarks.compare.trainer_fields import trainer_fields
from benchmarks.harness.methods import parse_methods
from benchmarks.harness.options import parse_seeds
from turnenv.groups import read_groups
from turnenv.policies.model_hash import hash_model
from turnenv.training import TurnGRPOConfig
from turnenv.types import Episode

# TRL and transformers call deprecated functions of transformers when a trainer is made.
pytestmark = pytest.mark.filterwarnings("ignore:.(is_)?gradient_checkpointing:FutureWarning")

ENV = "turnenv/GuessNumber-v0"


def _settings(model, **changes):
    fields = {"env": ENV, "eval_kwargs": {}, "model": str(model), "model_hash": hash_model(str(model)), "steps": 2}
    fields |= {"max_turn_tokens": 4, "eval_episodes": 5, "eval_batch": 4}
    return settings(**fields | changes)


def _command(model, out, *more):
    sizes = ["--steps", "2", "--groups", "2", "--num-generations", "4", "--max-turn-tokens", "4"]
    evaluation = ["--eval-episodes", "5", "--eval-batch", "4"]
    named = ["--env", ENV, "--model", str(model), "--out", str(out), "--device", "cpu"]
    return ["compare", *named, *sizes, *evaluation, *more]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_policy(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
    """The start and three training runs of one seed, done in this process."""
    out = tmp_path_factory.mktemp("runs")
    base, watched = _settings(model), _settings(model, eval_every=1)
    runs = [*plan(base, parse_methods("grpo_or,mt_grpo"), [3]), *plan(watched, parse_methods("mt_grpo"), [3])[1:]]
    for run in runs:
        run_one(["--out", str(out), "--run", run.model_dump_json()])
    return out, RowFile(out).read()


def test_a_run_records_what_was_done_and_what_it_took(finished, model):
    _, (start, outcome_only, turn_level, _) = finished
    assert start.run.method is None
    assert start.curve == {}
    assert start.evaluation.episodes == 5
    assert turn_level.run.method.label == "mt_grpo"
    assert turn_level.trainer_arguments["credit"] == "mt_grpo"
    assert turn_level.trainer_arguments["seed"] == 3
    assert json.loads(turn_level.env_spec)["id"] == ENV
    assert turn_level.curve["step"] == [1.0, 2.0]
    assert turn_level.spent.episodes == 16
    assert 16 <= turn_level.spent.env_turns <= 16 * 6
    assert turn_level.spent.env_turns <= turn_level.spent.sampled_tokens <= 4 * turn_level.spent.env_turns
    turns, tokens = turn_level.spent.turns_per_episode, turn_level.spent.tokens_per_episode
    assert turns is not None
    assert tokens is not None
    assert 1 <= turns.min <= turns.median <= turns.max <= 6
    assert turns.mean == turn_level.spent.env_turns / 16
    assert tokens.mean * 16 == turn_level.spent.sampled_tokens + (turn_level.spent.read_tokens or 0)
    assert turn_level.spent.parameters == turn_level.spent.trained_parameters
    assert (turn_level.spent.devices, turn_level.spent.device_seconds) == (1, turn_level.spent.train_seconds)
    assert turn_level.provenance.began < turn_level.provenance.ended
    assert turn_level.provenance.source == outcome_only.provenance.source
    assert turn_level.run.settings.model_hash == hash_model(str(model))


def test_methods_of_a_seed_begin_with_the_same_episodes(finished):
    _, (_, outcome_only, turn_level, _) = finished
    for name in ("return", "turn_reward", "turns", "turn_tokens"):
        assert outcome_only.curve[name][0] == turn_level.curve[name][0]


def test_evaluating_on_the_way_leaves_training_as_it_was(finished):
    _, (_, _, plain, watched) = finished
    assert [checkpoint.step for checkpoint in watched.checkpoints] == [1]
    assert watched.curve["return"] == plain.curve["return"]
    assert watched.curve["grad_norm"] == plain.curve["grad_norm"]
    assert watched.evaluation == plain.evaluation


def test_rows_of_a_backward_pass_do_not_change_what_is_played(finished, model, tmp_path):
    _, (_, _, plain, _) = finished
    in_pieces = _settings(model, trainer_kwargs={"per_device_train_batch_size": 2})
    run_one(["--out", str(tmp_path), "--run", plan(in_pieces, parse_methods("mt_grpo"), [3])[1].model_dump_json()])
    (pieces,) = RowFile(tmp_path).read()
    assert pieces.trainer_arguments["gradient_accumulation_steps"] == 4
    assert pieces.spent.episodes == plain.spent.episodes == 16
    assert pieces.curve["return"][0] == plain.curve["return"][0]
    assert pieces.curve["grad_norm"][0] == pytest.approx(plain.curve["grad_norm"][0], rel=1e-4)


def test_transcripts_are_kept_and_readable(finished, capsys):
    out, rows = finished
    kept = [transcripts_path(out, each.run_id).read_text().splitlines() for each in rows]
    tasks = [[Episode.from_json(line).task for line in lines] for lines in kept]
    assert len(tasks[0]) == 5
    assert all(each == tasks[0] for each in tasks)
    assert main(["transcripts", str(out), "--method", "mt_grpo", "--n", "2"]) == 0
    shown = capsys.readouterr().out
    assert "mt_grpo seed 3: 2 of 5 kept episodes" in shown
    assert shown.count("Guess the number between 1 and 50.") == 2


def test_whole_groups_of_training_are_kept_with_their_advantages(finished):
    out, rows = finished
    for each in rows:
        path = groups_path(out, each.run_id)
        assert path.exists() == (each.run.method is not None)
        groups = read_groups(path) if path.exists() else []
        assert {group.step for group in groups} <= {1, 2}
        assert all(group.estimator == each.run.method.name and group.run == each.run_id for group in groups)
        assert all(len(group.members) == 4 for group in groups)


def test_a_finished_run_is_not_repeated_and_the_report_can_be_rebuilt(finished, model, capsys):
    out, rows = finished
    base, content = plan(_settings(model), parse_methods("grpo_or,mt_grpo"), [3]), (out / "rows.jsonl").read_bytes()
    run_one(["--out", str(out), "--run", base[0].model_dump_json()])
    assert (out / "rows.jsonl").read_bytes() == content
    alone = out / "alone"
    alone.mkdir()
    for each in rows[:3]:
        RowFile(alone).append(each)
    assert main(_command(model, alone, "--methods", "grpo_or,mt_grpo", "--seeds", "3,")) == 0
    assert "3 runs, 3 finished already" in capsys.readouterr().err
    assert (alone / "table.md").exists()


def test_held_out_plans_differ_between_seeds_and_repeat_no_task_early():
    seeds, tasks = held_out_plan(0, 25, num_tasks=10)
    assert len(set(seeds)) == 25
    assert sorted(tasks[:10]) == sorted(tasks[10:20]) == list(range(10))
    assert len(set(tasks[20:])) == 5
    assert held_out_plan(0, 25, 10) == (seeds, tasks)
    assert not set(seeds) & set(held_out_plan(1, 25, 10)[0])
    # Training draws its seeds below 2³¹.
    assert min(seeds) >= 1 << 31
    assert len(set(held_out_plan(0, 50, 1 << 31)[1])) == 50


def test_seeds_are_a_number_or_a_list():
    assert parse_seeds("3") == (0, 1, 2)
    assert parse_seeds("0,1,7") == (0, 1, 7)
    assert parse_seeds("5,") == (5,)


@pytest.mark.parametrize("text", ["0", "-1", "three", "1,1", "", "1,-2", "1.5"])
def test_other_seeds_are_refused(text):
    with pytest.raises(ValueError, match="--seeds takes"):
        parse_seeds(text)


MISTAKES = [
    (["--methods", "mt-grop"], "no estimator is named 'mt-grop'; did you mean 'mt_grpo'"),
    (["--methods", "oracle"], "oracle needs true_advantages (the true advantage of each turn"),
    (["--methods", "vine_ppo"], "vine_ppo needs values"),
    (["--methods", "turn_gae:rewards=all"], "turn_gae: rewards='all' is not an option"),
    (["--methods", "turn_gae", "--trainer-kwargs", '{"critic": "prob"}'], "critic='prob' is not one of"),
    (["--methods", "turn_gae", "--trainer-kwargs", '{"critic_kwargs": {"lamb": 1}}'], "no option 'lamb'; did you mean"),
    (["--methods", "tree_backup"], "it runs in the credit lab: python -m benchmarks credit --methods tree_backup"),
    (["--methods", "mt_grpo,grpo_or,mt_grpo"], "named twice: mt_grpo"),
    (["--methods", "mt_grpo:lm=1"], "mt_grpo has no option 'lm'; did you mean 'lam'"),
    (["--methods", "mt_grpo:accumulate=true:lam=0.2"], "lam=0.2 is not read when accumulate=True"),
    (["--methods", "nowhere.py:mine"], "there is no file nowhere.py"),
    (["--methods", "nowhere:mine"], "the module 'nowhere' cannot be imported"),
    (["--seeds", "x"], "--seeds takes"),
    (["--seeds", "0"], "--seeds takes a number of seeds (3)"),
    (["--env", "turnenv/GuesNumber-v0"], "did you mean turnenv/GuessNumber-v0"),
    (["--env", "nowhere:a/B-v0"], "No module named 'nowhere'"),
    (["--env", "CartPole-v1"], "CartPole-v1 cannot be made: "),
    (
        ["--env-kwargs", '{"hgh": 9}'],
        "--env-kwargs: turnenv/GuessNumber-v0 has no argument 'hgh'; did you mean 'high'?",
    ),
    (["--env-kwargs", '{"high": "9"}'], "--env-kwargs: high of turnenv/GuessNumber-v0 takes int; got '9'"),
    (
        ["--env-kwargs", '{"high": 0}'],
        "--env-kwargs: turnenv/GuessNumber-v0 cannot be made with {'high': 0}: the range",
    ),
    (["--eval-kwargs", '{"max_trns": 4}'], "--eval-kwargs: turnenv/GuessNumber-v0 has no argument 'max_trns'; did you"),
    (["--eval-kwargs", '{"max_turns": 2.5}'], "--eval-kwargs: max_turns of turnenv/GuessNumber-v0 takes int | None"),
    (["--model", "/no/such/model"], "--model /no/such/model: there is no such folder"),
    (["--model", "agents/nanno"], "there is no such folder; did you mean agents/nano?"),
    (["--model", "tests"], "--model tests: the folder holds no model (no config.json)"),
    (["--trainer-kwargs", '{"max_steps": 3}'], "set by --steps"),
    (["--trainer-kwargs", '{"beto": 0.1}'], "TurnGRPOConfig has no field 'beto'; did you mean 'beta'"),
    (["--trainer-kwargs", '{"per_device_train_batch_size": 3}'], "must divide"),
    (["--ray", "nonsense"], "--ray takes local, auto, host:port or ray://host:port; got 'nonsense'"),
    (["--jobs", "0"], "--jobs must be at least 1"),
    (["--learning-rate", "-1"], "--learning-rate: input should be greater than 0; got -1.0"),
    (["--steps", "0"], "--steps: input should be greater than 0; got 0"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES)
def test_a_mistake_on_the_command_line_is_one_error_and_starts_nothing(tmp_path, model, capsys, arguments, says):
    assert main(_command(model, tmp_path / "out", *arguments)) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.startswith("python -m benchmarks: error: ")
    assert said.err.count("\n") == 1
    assert not said.out
    assert not (tmp_path / "out").exists()


def test_no_mistake_waits_for_pytorch(tmp_path, model):
    commands = [_command(model, tmp_path / "out", *arguments) for arguments, _ in MISTAKES]
    code = (
        "import sys; from benchmarks.__main__ import main\n"
        f"assert [main(command) for command in {commands!r}] == [2] * {len(commands)}\n"
        "print(*{'torch', 'transformers', 'trl', 'datasets'}.intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_fields_of_the_configuration_are_read_from_its_sources():
    assert set(trainer_fields()) == {field.name for field in dataclasses.fields(TurnGRPOConfig) if field.init}


def test_every_setting_is_an_option_explained_once(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["compare", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert (f"--{name.replace('_', '-')} " in shown) == (name != "model_hash")
        assert (field.description in shown) == (name != "model_hash")


def test_a_folder_that_an_older_version_began_is_gone_on_with(finished, tmp_path):
    _, rows = finished
    for each in rows[:3]:
        line = json.loads(each.model_dump_json())
        assert line["run"].pop("code") == ""
        with (tmp_path / "rows.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
    assert [each.run_id for each in RowFile(tmp_path).read()] == [each.run.run_id for each in rows[:3]]


def test_runs_of_an_own_estimator_are_known_by_its_code(tmp_path, model):
    file = tmp_path / "my credit.py"
    file.write_text("def half(batch):\n    return batch.turn_mask * 0.5\n")
    (method,) = parse_methods(f"{file}:half")
    _, before = plan(_settings(model), [method], [0])
    file.write_text("def half(batch):\n    return batch.turn_mask * 0.25\n")
    _, after = plan(_settings(model), [method], [0])
    assert before.run_id != after.run_id
    assert "/" not in before.run_id
    assert " " not in before.run_id


def test_json_arguments_must_be_objects(tmp_path, model, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(_command(model, tmp_path, "--env-kwargs", "[1]"))
    assert "takes a JSON object" in capsys.readouterr().err


def test_other_settings_in_the_same_folder_are_named_and_refused(tmp_path, model, capsys):
    RowFile(tmp_path).append(row("mt_grpo", 0, settings=_settings(model, steps=9)))
    assert main(_command(model, tmp_path)) == 2
    error = capsys.readouterr().err
    assert "steps: 9 there, 2 now" in error
    assert "give another --out" in error


def test_a_model_is_known_by_its_content(tmp_path):
    first, same, other = (save_tiny_policy(tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert hash_model(str(first)) == hash_model(str(same)) != hash_model(str(other))


@pytest.mark.slow
def test_a_failed_run_is_reported_and_the_others_go_on(tmp_path, model):
    # It fails on the batches of training only, long after the command line was checked.
    (tmp_path / "mine.py").write_text(
        "def late(batch):\n    assert len(batch.live) == 2, 'too many'\n    return batch.turn_mask\n"
    )
    methods = f"grpo_mr,{tmp_path}/mine.py:late"
    command = [sys.executable, "-m", "benchmarks", *_command(model, tmp_path, "--methods", methods, "--seeds", "1")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"failed: {tmp_path}/mine.py:late seed 0 (exit code 1), log: " in done.stderr
    log = next((tmp_path / "logs").glob("*late-seed0-*.log")).read_text()
    assert "AssertionError: too many" in log
    assert [each.run.title for each in RowFile(tmp_path).read()] == ["start seed 0", "grpo_mr seed 0"]
    assert "mine.py" not in done.stdout
