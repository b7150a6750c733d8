"""JudgedTurns: what a verdict pays, what a failing judge does, and that the contract holds around any environment."""

import pickle

import gymnasium
import pytest

import turnenv
from turnenv.core import Reply, TextEnv
from turnenv.judges import JudgeError, Message
from turnenv.rollout import vectorise
from turnenv.wrappers import JudgedTurns


class Brevity:
    """Likes messages of few words."""

    def score(self, transcript):
        assert [transcript[-2].role, transcript[-1].role] == ["assistant", "user"]
        return 1.0 / max(1, len(transcript[-2].content.split()))


class Broken:
    """Fails at its second verdict of an episode."""

    def score(self, transcript):
        if sum(message.role == "assistant" for message in transcript) == 2:
            raise JudgeError("out of order")
        return 1.0


class Fixed:
    def __init__(self, verdict):
        self.verdict = verdict

    def score(self, transcript):
        return self.verdict


def test_a_game_by_hand():
    """Numbers 1 to 4, hidden 3: "2" leaves {3, 4}; one word earns the whole verdict, two earn half."""
    env = JudgedTurns("turnenv/GuessNumber-v0", Brevity(), 0.2, low=1, high=4)
    env.reset(seed=0, options={"task": 2})
    _, reward, terminated, _, info = env.step("2")
    assert not terminated
    assert info["reward_components"] == {"information": 0.25, "judge": 0.2}
    assert reward == info["turn_reward"] == pytest.approx(0.45)
    _, reward, terminated, _, info = env.step("now 3")
    assert terminated
    assert info["reward_components"] == {"information": 0.25, "judge": 0.1}
    assert info["turn_rewards"] == pytest.approx([0.45, 0.35])
    assert info["outcome"] == {"reward": 1.0, "success": True, "end": "solved", "components": {"found": 1.0}}
    assert reward == pytest.approx(1.35)


def test_the_judge_reads_the_whole_conversation():
    class Reader:
        def score(self, transcript):
            self.read = transcript
            return 0.0

    judge = Reader()
    env = JudgedTurns(gymnasium.make("turnenv/GuessNumber-v0"), judge)
    observation, _ = env.reset(seed=0, options={"task": 30})
    reply, *_ = env.step("25")
    assert judge.read == (
        Message("system", env.system_prompt),
        Message("user", observation),
        Message("assistant", "25"),
        Message("user", reply),
    )


def test_a_judge_that_fails_ends_the_episode_as_a_fault():
    env = JudgedTurns("turnenv/GuessNumber-v0", Broken())
    env.reset(seed=0, options={"task": 30})
    env.step("1")
    _, reward, terminated, truncated, info = env.step("31")
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["turn_rewards"][1] == 0.0
    assert info["outcome"] == {"reward": 0.0, "success": False, "end": "fault", "components": {}}
    assert info["fault"] == "out of order"


@pytest.mark.parametrize("verdict", [1.01, -0.1, float("nan"), float("inf")])
def test_a_verdict_out_of_bounds_is_a_fault(verdict):
    env = JudgedTurns("turnenv/GuessNumber-v0", Fixed(verdict))
    env.reset(seed=0)
    assert "verdict" in env.step("1")[4]["fault"]


def test_a_fault_of_the_environment_is_not_judged():
    class Down(TextEnv[int]):
        max_turns = 2

        def start(self, rng, options):
            return 0, "hi"

        def respond(self, state, action, rng):
            return Reply.fault("down", "no server")

    env = JudgedTurns(Down(), Fixed(1.0))
    env.reset(seed=0)
    _, reward, _, truncated, info = env.step("x")
    assert (reward, truncated, info["fault"]) == (0.0, True, "no server")
    assert info["reward_components"] == {}


@pytest.mark.parametrize("env_id", ["turnenv/GuessNumber-v0", "turnenv/TriviaSearch-v0", "turnenv/CustomerService-v0"])
def test_the_contract_holds_around_it(env_id):
    checked = turnenv.check_env(JudgedTurns(env_id, Brevity()))
    held = {check.claim for check in checked if not check.unchecked}
    assert {"info's keys, types and sums; no reward lost", "snapshot, diverge, restore"} <= held


def test_it_is_collected_and_differs_from_the_bare_environment_by_the_verdicts_alone():
    seeds = [3, 3, 4]
    agent = turnenv.Scripted(lambda: lambda text: "5 it is" if "higher" in text else "25")
    bare = turnenv.collect("turnenv/GuessNumber-v0", agent, seeds)
    judged = turnenv.collect(lambda: JudgedTurns("turnenv/GuessNumber-v0", Brevity(), 0.3), agent, seeds)
    for without, with_ in zip(bare, judged, strict=True):
        assert with_.outcome == without.outcome
        assert with_.task == without.task
        for plain, turn in zip(without.turns, with_.turns, strict=True):
            verdict = 1.0 / len(turn.action.split())
            assert turn.reward_components == {**plain.reward_components, "judge": pytest.approx(0.3 * verdict)}
            assert turn.turn_reward == pytest.approx(plain.turn_reward + 0.3 * verdict)


def test_collect_keeps_a_fault_apart():
    agent = turnenv.Scripted(lambda: lambda text: "1")
    (episode,) = turnenv.collect(lambda: JudgedTurns("turnenv/GuessNumber-v0", Broken()), agent, [0])
    assert episode.faulted
    assert len(episode.turns) == 2


def test_a_judge_that_waits_is_asked_in_threads():
    class Waiting(Fixed):
        blocking = True

    assert JudgedTurns("turnenv/GuessNumber-v0", Waiting(1.0)).blocking
    assert not JudgedTurns("turnenv/GuessNumber-v0", Fixed(1.0)).blocking
    batch = vectorise(lambda: JudgedTurns("turnenv/GuessNumber-v0", Waiting(0.5)), 4)
    batch.reset(seed=0)
    _, _, _, _, infos = batch.step(["25"] * 4)
    assert [info["reward_components"]["judge"] for info in infos["env_infos"]] == [0.05] * 4
    batch.close()


def test_it_can_be_registered_and_pickled():
    gymnasium.register(
        "JudgedGuess-v0", "turnenv.wrappers:JudgedTurns", kwargs={"env": "turnenv/GuessNumber-v0", "judge": Fixed(0.5)}
    )
    try:
        (episode,) = turnenv.collect("JudgedGuess-v0", turnenv.Scripted(lambda: lambda text: "25"), [0])
        assert episode.env_id == "JudgedGuess-v0"
        assert episode.turns[0].reward_components["judge"] == 0.05
    finally:
        del gymnasium.registry["JudgedGuess-v0"]
    env = JudgedTurns("turnenv/GuessNumber-v0", Fixed(0.5))
    env.reset(seed=0)
    copy = pickle.loads(pickle.dumps(env))
    assert copy.step("25") == env.step("25")


def test_what_cannot_be_judged():
    with pytest.raises(ValueError, match="weight"):
        JudgedTurns("turnenv/GuessNumber-v0", Fixed(1.0), 0.0)
    with pytest.raises(TypeError, match="not strings"):
        JudgedTurns("CartPole-v1", Fixed(1.0))
    with pytest.raises(TypeError, match="already made"):
        JudgedTurns(gymnasium.make("turnenv/GuessNumber-v0"), Fixed(1.0), low=3)
