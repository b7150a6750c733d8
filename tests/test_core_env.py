"""TextEnv keeps the Gymnasium contract for its authors."""

import copy
import hashlib
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from turnenv import End, Reply, Scripted, TextEnv, TextVectorEnv, collect
from turnenv.core.noise import TurnGenerator
from turnenv.core.state_keys import hash_state


class Dice(TextEnv[list[int]]):
    """Every turn rolls a die; the action 'stop' ends it, 'break' breaks the infrastructure."""

    max_turns = 3

    def start(self, rng, options):
        return [int(rng.integers(1, 7))], f"rolled {options['task'] % 6}"

    def respond(self, state, action, rng):
        if action == "stop":
            return Reply.final("done", {"stop": 0.25}, outcome={"sum": float(sum(state))}, success=True)
        if action == "break":
            return Reply.fault("the table is gone", "table: connection refused")
        if action == "listen":
            return Reply.turn("quiet")
        state.append(int(rng.integers(1, 7)))
        return Reply.turn(str(state[-1]), {"roll": state[-1] / 10, "luck": 1})

    def silence(self, state):
        return {"silence": -1}


def play(env, actions, seed=0):
    env.reset(seed=seed)
    return [env.step(action) for action in actions]


def test_turn_and_outcome_are_told_apart():
    env = Dice()
    env.reset(seed=0)
    state = list(env._state)
    observation, reward, terminated, truncated, info = env.step("stop")
    assert (observation, terminated, truncated) == ("done", True, False)
    assert reward == 0.25 + sum(state)
    assert info == {
        "turn_reward": 0.25,
        "turn_rewards": [0.25],
        "outcome_reward": float(sum(state)),
        "turn": 1,
        "reward_components": {"stop": 0.25},
        "state_key": hash_state(state),
        "valid_action": True,
        "outcome": {"reward": float(sum(state)), "success": True, "end": "answered", "components": {"sum": sum(state)}},
        "fault": "",
    }


def test_components_become_floats():
    info = play(Dice(), ["roll"])[0][4]
    assert info["reward_components"]["luck"] == 1.0
    assert type(info["reward_components"]["luck"]) is float


def test_running_out_of_turns_is_truncation_with_a_stated_outcome():
    *_, (_, reward, terminated, truncated, info) = play(Dice(), ["roll"] * 3)
    assert (terminated, truncated) == (False, True)
    assert info["outcome"] == {"reward": -1.0, "success": False, "end": "turn_limit", "components": {"silence": -1.0}}
    assert reward == info["turn_reward"] - 1.0


def test_a_one_turn_task_terminates():
    class OneTurn(Dice):
        max_turns = 1

    assert play(OneTurn(), ["roll"])[0][2:4] == (True, False)


def test_a_fault_pays_nothing_and_names_its_cause():
    *_, (_, reward, terminated, truncated, info) = play(Dice(), ["roll", "break"])
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["outcome"]["end"] == End.FAULT
    assert info["fault"] == "table: connection refused"


def test_equal_seeds_meet_equal_noise_however_they_interleave():
    alone = play(Dice(), ["roll", "roll", "stop"], seed=7)
    left, right = Dice(), Dice()
    left.reset(seed=7)
    right.reset(seed=7)
    right.step("roll")
    assert left.step("roll") == alone[0]
    assert [right.step("roll"), right.step("stop")] == alone[1:]
    assert [left.step("roll"), left.step("stop")] == alone[1:]


def test_the_noise_of_a_turn_does_not_depend_on_earlier_draws():
    rolled = play(Dice(), ["roll", "roll"], seed=3)
    quiet = play(Dice(), ["listen", "roll"], seed=3)
    assert rolled[1][0] == quiet[1][0]


def test_global_generators_are_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    play(Dice(), ["roll", "roll", "stop"], seed=1)
    assert (np.random.get_state()[1] == before).all()


def test_a_task_can_be_picked_without_changing_the_noise():
    env = Dice()
    _, info = env.reset(seed=5)
    first = env.step("roll")
    observation, picked = env.reset(seed=5, options={"task": 4})
    assert (observation, picked["task"]) == ("rolled 4", 4)
    assert info["task"] != 4
    assert env.step("roll") == first


@pytest.mark.parametrize("task", [-1, 1 << 31, 1.0, "1", True, None])
def test_a_task_that_does_not_exist_is_refused(task):
    with pytest.raises(ValueError, match="must be an integer from 0 to"):
        Dice().reset(options={"task": task})


def test_stepping_outside_an_episode_says_what_to_do():
    env = Dice()
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step("roll")
    play(env, ["stop"])
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step("roll")
    with pytest.raises(ResetNeeded, match="call reset"):
        Dice().snapshot()


def test_an_action_must_be_text():
    env = Dice()
    env.reset(seed=0)
    with pytest.raises(TypeError, match="got int"):
        env.step(3)


def test_info_is_fresh_each_time():
    env = Dice()
    env.reset(seed=0)
    first = env.step("roll")[4]
    kept = list(first["turn_rewards"])
    env.step("roll")
    assert first["turn_rewards"] == kept


def test_a_snapshot_can_be_restored_again_and_again():
    env = Dice()
    env.reset(seed=2)
    env.step("roll")
    here = env.snapshot()
    there = [env.step("roll"), env.step("stop") if not env._over else None]
    for _ in range(2):
        env.restore(here)
        assert [env.step("roll"), env.step("stop") if not env._over else None] == there
    env.restore(here)
    assert env.reset() == (lambda twin: (play(twin, ["roll"], seed=2), twin.reset())[1])(Dice())


def test_a_restored_episode_renders_without_the_turns_that_it_left():
    env = Dice(render_mode="ansi")
    env.reset(seed=2)
    env.step("roll")
    here, shown = env.snapshot(), env.render()
    env.step("roll")
    for _ in range(2):
        env.restore(here)
        assert env.render() == shown
        text = env.step("roll")[0]
        assert env.render() == f"{shown}\n\nroll\n\n{text}"


def test_render_shows_the_transcript():
    env = Dice(render_mode="ansi")
    env.reset(seed=0, options={"task": 0})
    text = env.step("roll")[0]
    assert env.render() == f"rolled 0\n\nroll\n\n{text}"
    assert Dice().render() is None
    with pytest.raises(ValueError, match="render_mode='rgb_array' is not offered; pass 'ansi', 'human' or None"):
        Dice(render_mode="rgb_array")


def test_human_rendering_prints_the_conversation_as_it_goes(capsys):
    env = Dice(render_mode="human")
    env.system_prompt = "Roll the die."
    env.reset(seed=0, options={"task": 0})
    assert capsys.readouterr().out == "Roll the die.\n\nrolled 0\n"
    text = env.step("roll\nit")[0]
    paid = float(text) / 10
    assert capsys.readouterr().out == (
        f"> roll\n> it\n{text}\n  turn 1: reward {paid + 1:.3g} (roll {paid:.3g}, luck 1)\n"
    )
    env.step("listen")
    assert capsys.readouterr().out == "> listen\nquiet\n  turn 2: reward 0\n"
    total = env.step("stop")[4]["outcome_reward"]
    assert capsys.readouterr().out == (
        f"> stop\ndone\n  turn 3: reward 0.25 (stop 0.25)\n  episode over: answered, outcome reward {total:.3g}\n"
    )
    assert env.render() is None


def test_human_rendering_survives_any_text(capsys):
    env = gymnasium.make("turnenv/GuessNumber-v0", render_mode="human")
    env.reset(seed=0)
    env.step("\x1b[J\ud800 no number")
    printed = capsys.readouterr().out
    assert "> \\x1b[J\\ud800 no number\n" in printed
    assert printed.endswith("turn 1: reward 0 (information 0), not a valid action\n")


def test_gymnasiums_checker_takes_every_render_mode(capsys):
    check_env(gymnasium.make("turnenv/GuessNumber-v0").unwrapped)
    assert "Find the hidden" in capsys.readouterr().out


def test_an_unknown_option_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"reset of Dice has no option 'tesk'; did you mean 'task'\? it takes: task$"):
        Dice().reset(options={"tesk": 4})

    class Weighted(Dice):
        reset_options = ("bias",)

        def start(self, rng, options):
            return [options.get("bias", 0)], "rolled"

    env = Weighted()
    env.reset(options={"bias": 3})
    assert env._state == [3]
    with pytest.raises(ValueError, match="no option 'bia'; did you mean 'bias'"):
        env.reset(options={"task": 1, "bia": 3})
    batch = TextVectorEnv(Weighted, 2)
    batch.reset(options={"bias": 2, "task": [0, 1], "reset_mask": np.array([True, True])})
    assert [env._state for env in batch.envs] == [[2], [2]]
    with pytest.raises(ValueError, match="a batch has no option 'reset_msk'; did you mean 'reset_mask'"):
        batch.reset(options={"reset_msk": np.array([True, False])})


@given(
    actions=st.lists(st.sampled_from(["roll", "listen", "stop", "break"]), min_size=3, max_size=3),
    seed=st.integers(0, 99),
)
def test_no_reward_is_lost(actions, seed):
    env = Dice()
    env.reset(seed=seed)
    total = 0.0
    for action in actions:
        _, reward, terminated, truncated, info = env.step(action)
        total += reward
        if terminated or truncated:
            break
    assert total == pytest.approx(sum(info["turn_rewards"]) + info["outcome"]["reward"])


def test_collect_plays_whole_episodes():
    episodes = collect(Dice, Scripted(lambda: lambda seen: "stop" if seen == "6" else "roll"), [0, 0, 1])
    assert [episode.env_id for episode in episodes] == ["Dice"] * 3
    assert episodes[0] == episodes[1]
    assert episodes[0] != episodes[2]
    for episode in episodes:
        assert episode.turns[0].observation == f"rolled {episode.task % 6}"
        assert episode.total_reward == pytest.approx(sum(episode.turn_rewards) + episode.outcome.reward)
        assert [turn.observation for turn in episode.turns[1:]] + [episode.final_observation] == replay(episode)


def replay(episode):
    env = Dice()
    env.reset(seed=episode.seed)
    return [env.step(turn.action)[0] for turn in episode.turns]


@pytest.mark.parametrize(("seeds", "tasks"), [([], None), ([1, 2], [1])])
def test_collect_refuses_what_does_not_fit(seeds, tasks):
    with pytest.raises(ValueError, match=r"one seed per episode|one value per episode"):
        collect(Dice, Scripted(lambda: lambda seen: "stop"), seeds, tasks=tasks)


def test_plain_draws_are_a_hash_of_seed_turn_and_count():
    rng, again = TurnGenerator(7, 3), TurnGenerator(7, 3)
    drawn = [rng.random() for _ in range(3)]
    again.integers(10)
    assert [again.random() for _ in range(3)] == drawn
    assert len({*drawn, TurnGenerator(7, 4).random(), TurnGenerator(8, 3).random()}) == 5
    digest = hashlib.blake2b((7).to_bytes(8, "little") + (3).to_bytes(8, "little") + bytes(8), digest_size=8).digest()
    assert drawn[0] == (int.from_bytes(digest, "little") >> 11) / 2**53


def test_plain_draws_are_uniform_over_episodes_and_turns():
    drawn = np.array([TurnGenerator(seed, turn).random() for seed in range(1_000) for turn in range(20)])
    assert 0.0 <= drawn.min() < drawn.max() < 1.0
    counts = np.histogram(drawn, bins=20, range=(0.0, 1.0))[0]
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 43.8  # chi-squared, 19 degrees of freedom, 0.1 %
    turns = drawn.reshape(1_000, 20)
    assert abs(np.corrcoef(turns[:, 0], turns[:, 1])[0, 1]) < 0.1


def test_draws_other_than_plain_ones_are_those_of_a_generator_seeded_by_episode_and_turn():
    rng, plain = TurnGenerator(7, 3), np.random.default_rng((7, 3))
    assert rng.integers(1_000) == plain.integers(1_000)
    assert rng.random() != rng.random()
    np.testing.assert_array_equal(rng.random(3), plain.random(3))
    assert rng.choice(["a", "b", "c"]) == plain.choice(["a", "b", "c"])


def test_a_generator_is_copied_and_pickled_without_being_seeded():
    rng = TurnGenerator(7, 3)
    first = rng.random()
    for twin in (copy.deepcopy(rng), pickle.loads(pickle.dumps(rng))):
        assert twin.random() != first
        assert twin.generator is None
