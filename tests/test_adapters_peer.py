"""PeerEnv around an environment that draws from the global generators, raises on some texts, and keeps a contract."""

import copy
import random
import threading

import gymnasium
import numpy as np
import pytest

from turnenv import check_env
from turnenv.adapters.peer import PeerEnv, global_generators
from turnenv.core import Reply
from turnenv.types import End


class Dice:
    """A peer: three throws of two dice, of the global generators; "roll" throws, "quit" ends."""

    def __init__(self):
        self.sum, self.throws, self.bonus = 0, 0, random.randint(0, 100)

    def play(self, action):
        if action == "crash":
            raise KeyError("a bug")
        if action == "no network":
            raise ConnectionError("no route")
        self.throws += 1
        self.sum += random.randint(1, 6) + int(np.random.randint(1, 7))
        return self.sum


class Throw(PeerEnv):
    """Three throws; solved by 25 or more."""

    max_turns = 5

    def begin(self, task):
        peer = Dice()
        return peer, f"bonus {peer.bonus}"

    def play(self, peer, action):
        total = peer.play(action)
        if peer.throws < 3:
            return Reply.turn(f"{total}", {"dice": 0.0})
        return Reply.final(f"{total}", {"dice": 0.0}, outcome={"sum": total / 36}, success=total >= 25, end=End.SOLVED)


class Uncopyable(Throw):
    def begin(self, task):
        peer, observation = super().begin(task)
        peer.lock = threading.Lock()
        return peer, observation


gymnasium.register("peer/Throw-v0", entry_point=Throw)


def texts(env, seed, actions=("roll",) * 3):
    env.reset(seed=seed)
    return [env.step(action)[0] for action in actions]


def test_twins_in_lock_step_and_interleaved_agree_and_seeds_differ():
    one, two, alone = Throw(), Throw(), texts(Throw(), 3)
    assert one.reset(seed=3) == two.reset(seed=3)
    assert [[env.step("roll")[0] for env in (one, two)] for _ in range(3)] == [[text, text] for text in alone]
    one.reset(seed=3)
    first = one.step("roll")[0]
    assert texts(two, 4) != alone
    assert [first, one.step("roll")[0], one.step("roll")[0]] == alone


def test_a_turns_noise_is_the_same_whatever_was_done_before():
    """The peer's own generator would be one draw further after the failed throw."""
    env = Throw()
    one = texts(env, 3)
    env.reset(seed=3)
    env.step("roll")
    env.reset(seed=3)
    assert texts(env, 3) == one


def test_the_task_decides_the_start_and_the_seed_the_noise():
    env = Throw()
    starts = {env.reset(seed=seed, options={"task": 7})[0] for seed in range(5)}
    assert len(starts) == 1
    assert len({env.reset(seed=0, options={"task": task})[0] for task in range(5)}) > 1


@global_generators(5)
def draw_and_raise():
    return random.random() / 0


def test_the_global_generators_are_as_they_were():
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    texts(Throw(), 3)
    with pytest.raises(ZeroDivisionError):
        draw_and_raise()
    assert (random.random(), np.random.random()) == expected


def test_threads_do_not_disturb_each_other():
    expected = [texts(Throw(), seed) for seed in range(16)]
    found = [None] * 16

    def run(seed):
        found[seed] = texts(Throw(), seed)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_what_the_peer_cannot_take_is_a_failure_and_no_network_a_fault():
    env = Throw()
    env.reset(seed=0)
    told, reward, terminated, _, info = env.step("crash")
    assert terminated
    assert reward == 0.0
    assert not info["valid_action"]
    assert info["outcome"] == {"reward": 0.0, "success": False, "end": "failed", "components": {"peer": 0.0}}
    assert type(info["outcome_reward"]) is float
    assert "KeyError" in told
    env.reset(seed=0)
    *_, truncated, info = env.step("no network")
    assert truncated
    assert "no route" in info["fault"]


def test_snapshots_and_the_error_without_them():
    env = Throw()
    env.reset(seed=5)
    env.step("roll")
    here = env.snapshot()
    rest = [env.step("roll")[0] for _ in range(2)]
    env.restore(here)
    assert [env.step("roll")[0] for _ in range(2)] == rest
    broken = Uncopyable()
    broken.reset(seed=5)
    assert broken.step("roll")[0]
    with pytest.raises(TypeError, match="Dice cannot be copied, so it has no snapshots"):
        broken.snapshot()


def test_states_are_equal_if_the_same_was_done_with_the_same_noise():
    env = Throw()
    env.reset(seed=5)
    keys = [env.step("roll")[4]["state_key"] for _ in range(3)]
    env.reset(seed=5)
    assert [env.step("roll")[4]["state_key"] for _ in range(3)] == keys
    env.reset(seed=5)
    env.step("roll ")
    assert env.step("roll")[4]["state_key"] not in keys
    assert copy.deepcopy(env._state) is not env._state


def test_the_contract_is_kept():
    checks = check_env("peer/Throw-v0", lambda observation, turn: "roll")
    assert {check.claim for check in checks if not check.unchecked} >= {
        "equal seeds and actions, equal episodes",
        "snapshot, diverge, restore",
        "any text is a legal action",
    }
