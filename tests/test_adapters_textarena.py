"""TextArena's games for one player: only what is new is told, twins agree, and refused moves are not valid."""

import re

import gymnasium
import pytest
from peer_contract import check_peer

from turnenv.adapters.textarena import TextArenaEnv

textarena = pytest.importorskip("textarena")

ENTRY = "turnenv.adapters.textarena"
IDS = {f"textarena/{name}": name for name in ("GuessTheNumber-v0", "2048-v0", "FrozenLake-v0", "TowerOfHanoi-v0")}
for env_id, textarena_id in IDS.items():
    gymnasium.register(
        env_id,
        entry_point=f"{ENTRY}:TextArenaEnv",
        vector_entry_point=f"{ENTRY}:make_vector",
        kwargs={"textarena_id": textarena_id},
    )


def guess(observation, turn, _range={}):  # noqa: B006 (the range that the hints leave open)
    if turn == 0:
        _range.update(low=1, high=20, last=0)
    hint = re.search(r"target number is (higher|lower)", observation)
    if hint:
        edge, shift = ("low", 1) if hint[1] == "higher" else ("high", -1)
        _range[edge] = _range["last"] + shift
    _range["last"] = (_range["low"] + _range["high"]) // 2
    return f"[{_range['last']}]"


def swipe(observation, turn):
    return ("[Up]", "[Left]", "[Down]", "[Right]")[turn % 4]


AGENTS = {"textarena/GuessTheNumber-v0": guess, "textarena/2048-v0": swipe}


@pytest.mark.parametrize("env_id", IDS)
def test_the_contract_is_kept(env_id):
    check_peer(env_id, AGENTS.get(env_id))


def test_a_game_by_its_rules():
    env = gymnasium.make("textarena/GuessTheNumber-v0")
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        assert "Guess The Number" in observation
        for turn in range(6):
            observation, _, terminated, _, info = env.step(guess(observation, turn))
            assert "Guess The Number" not in observation
            if terminated:
                break
        assert info["outcome"]["success"]
        assert info["outcome"]["components"] == {"textarena": 1.0}
        assert "Congratulations" in observation


def test_a_refused_move_is_not_valid_and_a_second_one_ends_the_game():
    env = TextArenaEnv("GuessTheNumber-v0")
    env.reset(seed=0)
    observation, _, terminated, _, info = env.step("twelve")
    assert not terminated
    assert not info["valid_action"]
    assert "twelve" not in observation
    *_, terminated, _, info = env.step("twelve")
    assert terminated
    assert not info["valid_action"]
    assert info["outcome"]["end"] == "failed"


def test_an_environment_played_again_begins_as_short_as_a_new_one():
    env = TextArenaEnv("GuessTheNumber-v0")
    first = env.reset(seed=1)[0]
    for _ in range(4):
        while not any(env.step("[1]")[2:4]):
            pass
        assert env.reset(seed=1)[0] == first


def test_twins_in_lock_step_agree_where_textarenas_own_part():
    actions = [swipe("", turn) for turn in range(10)]

    def raw(count):
        twins = [textarena.make("2048-v0-raw") for _ in range(count)]
        for twin in twins:
            twin.reset(num_players=1, seed=3)
        for action in actions:
            for twin in twins:
                twin.step(action)
        return twins[0].state.game_state

    assert raw(1) != raw(2), "TextArena has fixed its twins: say so in the docstring"
    twins = [TextArenaEnv("2048-v0") for _ in range(2)]
    seen = [[twin.reset(seed=3)[0]] for twin in twins]
    for action in actions:
        for twin, told in zip(twins, seen, strict=True):
            told.append(twin.step(action)[0])
    assert seen[0] == seen[1]
    assert len(set(seen[0])) > 5


def test_games_for_two_and_unknown_ones_are_refused():
    with pytest.raises(ValueError, match="not a game for one player"):
        TextArenaEnv("TicTacToe-v0")
    with pytest.raises(ValueError, match="not found"):
        TextArenaEnv("NoSuchGame-v0")
