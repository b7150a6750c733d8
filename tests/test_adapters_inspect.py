"""turnenv's environments as tasks of Inspect, offline on its `mockllm`: records, scores, faults, and logs that open."""

import gc

import pytest

pytest.importorskip("inspect_ai", reason="needs the extra `inspect`, whose pins no other extra's")

from inspect_ai import eval as evaluate
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model

import turnenv
from turnenv.adapters.inspect import episode_of, turnenv_task
from turnenv.core import Reply, TextEnv

pytestmark = pytest.mark.filterwarnings("ignore")
GUESS = "turnenv/GuessNumber-v0"


def next_text(seen, turn):
    return str(10 + 7 * turn + len(seen) % 5)


def model():
    def answer(messages, tools, tool_choice, config):
        turn = sum(message.role == "assistant" for message in messages)
        said = ModelOutput.from_content("mockllm/model", next_text(messages[-1].text, turn))
        said.usage = ModelUsage(input_tokens=9, output_tokens=2, total_tokens=11)  # else it is counted, by a download
        return said

    return get_model("mockllm/model", custom_outputs=answer, memoize=False)


def scripted():
    def make():
        turn = iter(range(1000))
        return lambda seen: next_text(seen, next(turn))

    return turnenv.Scripted(make)


def run(tmp_path, task):
    (log,) = evaluate(task, model=model(), log_dir=str(tmp_path), display="none", log_format="json")
    gc.collect()  # Inspect leaves streams open, which would be reported after the test
    return read_eval_log(log.location)


def test_the_episodes_are_collects_and_the_log_opens(tmp_path):
    log = run(tmp_path, turnenv_task(GUESS, episodes=6, seed=3))
    assert log.status == "success"
    expected = turnenv.collect(GUESS, scripted(), range(3, 9))
    samples = sorted(log.samples, key=lambda sample: sample.metadata["seed"])
    assert [episode_of(sample) for sample in samples] == expected
    for sample, episode in zip(samples, expected, strict=True):
        (score,) = sample.scores.values()
        assert score.value == {
            "success": float(episode.outcome.success),
            "outcome": episode.outcome.reward,
            "turn_rewards": sum(episode.turn_rewards),
            "return": episode.total_reward,
            "turns": len(episode.turns),
        }
        assert score.metadata["turn_rewards"] == list(episode.turn_rewards)
        told = [event.data for event in sample.events if event.event == "info" and event.source == "turnenv"]
        assert [data["turn_reward"] for data in told] == list(episode.turn_rewards)
        said = [message.text for message in sample.messages]
        assert said[0] == turnenv.rollout.vectorise(GUESS, 1).system_prompt
        played = [text for turn in episode.turns for text in (turn.observation, turn.action)]
        assert said[1:] == [*played, episode.final_observation]
    means = {score.name: score.metrics["mean"].value for score in log.results.scores}
    assert means["return"] == pytest.approx(sum(episode.total_reward for episode in expected) / 6)


class Failing(TextEnv[int]):
    """Fails in its second turn, if the task is odd."""

    max_turns, num_tasks = 3, 10

    def start(self, rng, options):
        return options["task"], "begin"

    def respond(self, state, action, rng):
        if state % 2 and self._turn == 2:
            return Reply.fault("", "the server is down")
        return Reply.turn("go on", {"step": 0.1})


def test_a_fault_is_an_error_and_no_score(tmp_path):
    log = run(tmp_path, turnenv_task(Failing, episodes=8))
    failed = [sample for sample in log.samples if sample.error]
    assert {sample.metadata["task"] % 2 for sample in failed} == {1}
    assert all("the server is down" in sample.error.message and not sample.scores for sample in failed)
    assert all(sample.metadata["task"] % 2 == 0 for sample in log.samples if not sample.error)
    with pytest.raises(ValueError, match="no finished episode"):
        episode_of(failed[0])


def test_mistakes():
    with pytest.raises(ValueError, match="episodes"):
        turnenv_task(GUESS, episodes=0)
    with pytest.raises(TypeError, match="give an id"):
        turnenv_task(lambda: 3)
