"""`turnenv check` of environments that were not written for turnenv: which guarantees hold, and the exit code."""

import json
import random

import gymnasium
import pytest

import turnenv
from turnenv.adapters.gymnasium import GymnasiumEnv
from turnenv.commands.main import main


class Careless(gymnasium.Env):
    """Draws from a generator that no seed reaches."""

    observation_space = action_space = turnenv.UnicodeText()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return str(random.random()), {}

    def step(self, action):
        return "end", 1.0, True, False, {}


def careless():
    return GymnasiumEnv(Careless())


@pytest.mark.filterwarnings("ignore:an action of")
def test_an_environment_of_gymnasium_is_tried(capsys):
    assert main(["check", "turnenv.adapters.toy_text:frozen_lake", "--episodes", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("  holds:") == 6
    assert "mt_grpo" in printed.splitlines()[-1]


@pytest.mark.filterwarnings("ignore:an action of")
def test_unequal_episodes_are_a_no(capsys):
    assert main(["check", "test_commands_check:careless", "--json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)["environments"]
    failed = [each["needed_for"] for each in report["guarantees"] if not each["holds"]]
    assert "groups: every group-relative estimator" in failed
    assert report["estimators"] == []


def test_what_is_no_text_environment_is_named(capsys):
    assert main(["check", "FrozenLake-v1"]) == 1
    assert "observe=" in capsys.readouterr().out
