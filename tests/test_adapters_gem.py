"""GEM's environments: its own games under turnenv's contract, and twins that its global generator would part."""

import logging
import re

import gymnasium
import numpy as np
import pytest
from peer_contract import check_peer

from turnenv.adapters.gem import GemEnv

gem = pytest.importorskip("gem")

ENTRY = "turnenv.adapters.gem"
IDS = {
    "gem/GuessTheNumber-v0": "game:GuessTheNumber-v0-easy",
    "gem/Game2048-v0": "game:Game2048-v0-easy",
    "gem/Minesweeper-v0": "game:Minesweeper-v0-easy",
    "gem/TowerofHanoi-v0": "game:TowerofHanoi-v0-easy",
    "gem/LegCounting-v0": "rg:leg_counting",
}
for env_id, gem_id in IDS.items():
    gymnasium.register(
        env_id, entry_point=f"{ENTRY}:GemEnv", vector_entry_point=f"{ENTRY}:make_vector", kwargs={"gem_id": gem_id}
    )


def boxed(text):
    return f"\\boxed{{{text}}}"


def guess(observation, turn, _range={}):  # noqa: B006 (the range that the hints leave open)
    if turn == 0:
        _range.update(low=1, high=10)
    hint = re.search(r"guessed (\d+), and the target number is (higher|lower)", observation)
    if hint:
        edge, shift = ("low", 1) if hint[2] == "higher" else ("high", -1)
        _range[edge] = int(hint[1]) + shift
    return boxed((_range["low"] + _range["high"]) // 2)


def swipe(observation, turn):
    return boxed(("up", "left", "down", "right")[turn % 4])


AGENTS = {"gem/GuessTheNumber-v0": guess, "gem/Game2048-v0": swipe}


@pytest.mark.parametrize("env_id", IDS)
def test_the_contract_is_kept(env_id):
    check_peer(env_id, AGENTS.get(env_id))


def test_a_game_is_solved_by_its_rules():
    env = gymnasium.make("gem/GuessTheNumber-v0")
    for seed in range(10):
        observation, _ = env.reset(seed=seed)
        for turn in range(4):
            observation, reward, terminated, truncated, info = env.step(guess(observation, turn))
            if terminated or truncated:
                break
        assert terminated
        assert info["outcome"] == {"reward": 1.0, "success": True, "end": "solved", "components": {"gem": 1.0}}
        assert info["turn_rewards"] == [0.0] * (turn + 1)
        assert reward == 1.0


def test_a_format_error_ends_the_game_with_gems_penalty_as_outcome():
    env = GemEnv("game:GuessTheNumber-v0-easy")
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("five")
    assert terminated
    assert reward == info["outcome"]["reward"] == -0.1
    assert info["outcome"]["end"] == "failed"


def test_running_out_of_guesses_is_truncated_with_gems_consolation_as_outcome():
    env = GemEnv("game:GuessTheNumber-v0-easy", success_reward=1.0)
    for seed in range(20):
        env.reset(seed=seed)
        for _ in range(env.max_turns):
            _, _, terminated, truncated, info = env.step(boxed(1))
            if terminated:
                break
        if truncated:
            assert info["outcome"]["end"] == "turn_limit"
            assert 0.0 <= info["outcome"]["reward"] < 1.0
            return
    pytest.fail("no game ran out")


def test_twins_in_lock_step_agree_where_gems_own_part():
    actions = [swipe("", turn) for turn in range(12)]

    def gems(count):
        twins = [gem.make("game:Game2048-v0-easy") for _ in range(count)]
        boards = [[twin.reset(seed=3)[0]] for twin in twins]
        for action in actions:
            for twin, seen in zip(twins, boards, strict=True):
                seen.append(twin.step(action)[4]["suffix"])
        return boards

    assert gems(1)[0] != gems(2)[0], "GEM has fixed its twins: say so in the docstring"
    twins = [GemEnv("game:Game2048-v0-easy") for _ in range(2)]
    boards = [[twin.reset(seed=3)[0]] for twin in twins]
    for action in actions:
        for twin, seen in zip(twins, boards, strict=True):
            seen.append(twin.step(action)[0])
    assert boards[0] == boards[1]
    assert len(set(boards[0])) > 5


def test_the_task_is_gems_seed_and_a_batch_can_be_made():
    env = GemEnv("game:TowerofHanoi-v0-easy")
    assert env.reset(seed=1, options={"task": 4})[0] == env.reset(seed=2, options={"task": 4})[0]
    batch = gymnasium.make_vec("gem/GuessTheNumber-v0", num_envs=3)
    batch.reset(seed=[5, 5, 6])
    *_, infos = batch.step([boxed(5)] * 3)
    assert np.isfinite(infos["turn_reward"]).all()


def test_importing_gem_leaves_logging_alone():
    handlers = logging.getLogger().handlers[:]
    GemEnv("game:TowerofHanoi-v0-easy")
    assert logging.getLogger().handlers == handlers


def test_an_unknown_id_is_told():
    with pytest.raises(ValueError, match="not found"):
        GemEnv("game:GuessTheNumber-v0")
