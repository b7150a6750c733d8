"""True advantages of played episodes: those of the solved model, and the viewer's third column."""

import gymnasium
import numpy as np
import pytest
from test_report_page import unpacked

import turnenv
from turnenv.exact import evaluate, tabular_model, true_advantages
from turnenv.groups import Group, Member

ID = "turnenv/CreditChain-v0"


@pytest.fixture(scope="module")
def played():
    model, draw = tabular_model(gymnasium.make(ID).unwrapped, (0,)), np.random.default_rng(0)
    agent = turnenv.Scripted(lambda: lambda seen: str(draw.choice(model.actions)))
    policy = np.full((len(model.keys), len(model.actions)), 1 / len(model.actions))
    return model, policy, turnenv.collect(ID, agent, [7] * 400, tasks=[0] * 400)


def test_they_explain_the_difference_between_the_mean_return_and_this_one(played):
    model, policy, episodes = played
    expected = float(model.start @ evaluate(model, policy, "shaped").v[0])
    unexplained = [each.total_reward - expected - sum(true_advantages(model, policy, each)) for each in episodes]
    # What remains is the environment's own noise, which is 0 on average.
    assert np.mean(unexplained) == pytest.approx(0.0, abs=4 * np.std(unexplained) / 20 + 1e-9)
    assert np.std([sum(true_advantages(model, policy, each)) for each in episodes]) > 0.01


def test_the_viewer_shows_them_as_a_column(played):
    model, policy, episodes = played
    members = tuple(Member(each, truth=true_advantages(model, policy, each)) for each in episodes[:4])
    shown = turnenv.show([Group("uniform", 0, 0, "", {}, members)], estimators=["grpo_mr", "mt_grpo"])
    index = unpacked(shown.html, "index")
    names = [column["name"] for column in index["meta"]["columns"]]
    assert "truth" in index["meta"]["exact"]
    due = [value for member in members for value in member.truth]
    assert index["index"]["advantages"][names.index("truth")] == pytest.approx(due, abs=6e-4)


def test_an_episode_longer_than_the_model_is_named():
    slow = tabular_model(gymnasium.make(ID, length=3, errors="recoverable", slack=2).unwrapped, (0,))
    wrong = turnenv.Scripted(lambda: lambda seen: slow.actions[0])
    episode = turnenv.collect(
        lambda: gymnasium.make(ID, length=3, errors="recoverable", slack=6), wrong, [7], tasks=[0]
    )[0]
    with pytest.raises(ValueError, match=r"the episode has 9 turns, and the model ends after 5: .* as the episode's"):
        true_advantages(slow, np.full((len(slow.keys), len(slow.actions)), 1 / len(slow.actions)), episode)


def test_what_the_model_does_not_have_is_named(played):
    model, policy, episodes = played
    other = turnenv.collect(ID, turnenv.Scripted(lambda: lambda seen: "nonsense"), [7], tasks=[0])[0]
    with pytest.raises(ValueError, match="no action 'nonsense', which turn 1 took"):
        true_advantages(model, policy, other)
    foreign = tabular_model(gymnasium.make(ID).unwrapped, (1,))
    with pytest.raises(
        ValueError, match="turn 1 is in a state that the model does not have: was it made for this task"
    ):
        true_advantages(
            foreign, np.full((len(foreign.keys), len(foreign.actions)), 1 / len(foreign.actions)), episodes[0]
        )
