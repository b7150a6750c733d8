"""Demonstrations by a noisy expert: how often it errs, every family played, and a policy that is taught by it."""

import sys
from random import Random

import pytest

pytest.importorskip("transformers")

from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.nano import clone
from agents.nano.noisy_expert import NoisyExpert
from agents.scripted import family_of
from turnenv.envs import IDS
from turnenv.envs.credit_chain import SIGNALS

CHAIN = "turnenv/CreditChain-v0"
FAMILIES = sorted({f"turnenv/{family_of(env_id)}-v0" for env_id in IDS})


def said_to(signal, conversation):
    pairs = zip(conversation[::2], conversation[1::2], strict=True)
    return [said.text for asked, said in pairs if f"Signal: {signal}." in asked.text]


def right_share(expert, episodes):
    told = [message for _ in range(episodes) for message in expert.conversation()]
    answers = [(number, said) for number, signal in enumerate(SIGNALS) for said in said_to(signal, told)]
    return sum(said == f"a{number}" for number, said in answers) / len(answers)


@pytest.mark.parametrize(("skill", "right"), [(0.0, 0.25), (0.3, 0.475), (1.0, 1.0)])
def test_a_turn_is_right_as_often_as_skill_and_luck_say(skill, right):
    assert right_share(NoisyExpert(CHAIN, {}, Random(0), skill=skill), 250) == pytest.approx(right, abs=0.04)


def test_messages_break_off_as_often_as_asked():
    conversation = NoisyExpert("turnenv/MultiHopSearch-v0", {}, Random(0), skill=1.0, broken=0.25).conversation
    said = [message.text for _ in range(100) for message in conversation() if message.role == "assistant"]
    assert sum(not text.endswith(">") for text in said) / len(said) == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("env_id", FAMILIES)
def test_every_family_is_demonstrated_turn_by_turn(env_id):
    expert = NoisyExpert(env_id, {}, Random(1), skill=0.7, broken=0.1)
    for _ in range(10):
        told = expert.conversation()
        assert [message.role for message in told] == ["user", "assistant"] * (len(told) // 2)
        assert all(message.text for message in told)


def test_the_same_seed_demonstrates_the_same():
    left, right = (NoisyExpert(CHAIN, {"length": 3}, Random(2), skill=0.5, broken=0.1) for _ in range(2))
    assert [left.conversation() for _ in range(20)] == [right.conversation() for _ in range(20)]


@pytest.mark.parametrize(
    ("changed", "message"), [({"skill": 1.5}, "probabilities"), ({"broken": -0.1}, "probabilities")]
)
def test_chances_are_chances(changed, message):
    with pytest.raises(ValueError, match=message):
        NoisyExpert(CHAIN, {}, Random(0), **({"skill": 0.5} | changed))


def test_another_ids_expert_is_missed_by_name():
    with pytest.raises(ValueError, match="GuessNumber"):
        NoisyExpert("FrozenLake-v1", {}, Random(0), skill=0.5)


def run(monkeypatch, capsys, out, *arguments):
    fixed = ["--env", CHAIN, "--env-kwargs", '{"length": 2}', "--episodes", "64", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["clone", *fixed, *arguments])
    clone.main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    return {name: float(mean) for name, mean in (line for line in lines if len(line) == 2)}


@pytest.mark.slow
def test_a_clone_answers_in_the_form_it_was_shown_and_can_be_taught_on(tmp_path, monkeypatch, capsys):
    small = ("--width", "32", "--layers", "1", "--learning-rate", "1e-2")
    start = run(monkeypatch, capsys, tmp_path / "new", "--skill", "1", "--steps", "200", *small)
    assert start["valid_action"] > 0.9
    assert start["success"] > 0.1
    further = ("--model", str(tmp_path / "new"), "--skill", "1", "--steps", "5")
    assert run(monkeypatch, capsys, tmp_path / "further", *further)["valid_action"] > 0.9
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "further")
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(tmp_path / "further"))
    assert model.config.hidden_size == 32


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env-kwargs", "{length: 2}"], "is not JSON"),
        (["--env-kwargs", "[2]"], "write an object"),
        (["--skill", "2"], "a share is from 0 to 1"),
    ],
)
def test_a_mistake_is_named(arguments, said, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["clone", "--env", CHAIN, "--out", str(tmp_path), *arguments])
    with pytest.raises(SystemExit):
        clone.main()
    assert said in capsys.readouterr().err
