"""The conformance suite: it finds what is broken, says what it could not check, and its command says so too."""

import subprocess
import sys
import time

import gymnasium
import numpy as np
import pytest

import turnenv
from turnenv import ContractError, Reply, TextEnv, check_env
from turnenv.checker.turns import record
from turnenv.commands.check import fresh_each_episode
from turnenv.commands.main import main


class Walk(TextEnv[list[int]]):
    """Three steps right are the goal; each new field pays, and 'left' walks back."""

    max_turns = 8

    def start(self, rng, options):
        return [0, 0], "walk"

    def respond(self, state, action, rng):
        state[0] = max(0, state[0] + {"right": 1, "left": -1}.get(action, 0))
        reward = {"new field": 0.1 * max(0, state[0] - state[1])}
        state[1] = max(state)
        if state[0] == 3:
            return Reply.final("there", reward, outcome={"goal": 1.0}, success=True)
        return Reply.turn(f"at {state[0]}", reward)


class Toll(Walk):
    """Pays for standing still."""

    def respond(self, state, action, rng):
        return super().respond(state, action, rng)._replace(rewards={"toll": 0.01 * (action == "stay")})


class Chatter(Walk):
    """Pays for every word, and its state counts them, so that no state ever comes back."""

    def respond(self, state, action, rng):
        reply = super().respond(state, action, rng)
        state.append(len(state))
        return reply if reply.outcome else reply._replace(rewards={"words": 0.4})


class Unpicklable(Walk):
    def __init__(self):
        super().__init__()
        self.kept = lambda: None


class Changed(Walk):
    """Plays differently once unpickled."""

    paid = 0.0

    def respond(self, state, action, rng):
        return super().respond(state, action, rng)._replace(text=str(self.paid))

    def __setstate__(self, fields):
        self.__dict__.update(fields, paid=1.0)


class Gossip(Walk):
    """Hears of it when a twin plays."""

    last = None

    def start(self, rng, options):
        Gossip.last = self
        return super().start(rng, options)

    def respond(self, state, action, rng):
        heard, Gossip.last = Gossip.last is not self, self
        reply = super().respond(state, action, rng)
        return reply._replace(text="I heard") if heard else reply


class Batched(turnenv.TextVectorEnv):
    """A batch that forgets the last turn's reward."""

    def step(self, actions):
        observations, rewards, terminated, truncated, infos = super().step(actions)
        return observations, np.where(terminated, 0.0, rewards), terminated, truncated, infos


def make_batched(num_envs=1, **kwargs):
    return Batched(Walk, num_envs, **kwargs)


for name, kwargs in {
    "Walk": {},
    "Toll": {},
    "Gossip": {},
    "Lossy": {"entry_point": f"{__name__}:Walk", "vector_entry_point": f"{__name__}:make_batched"},
    "Callable": {"entry_point": Walk},
}.items():
    gymnasium.register(f"checked/{name}-v0", **{"entry_point": f"{__name__}:{name}", **kwargs})


def to_the_goal(observation, turn):
    return "stay" if turn == 1 else "right"


def unchecked(checks):
    return {check.claim: check.unchecked for check in checks if check.unchecked}


def test_a_sound_id_leaves_only_the_processes_unchecked():
    checks = check_env("checked/Walk-v0", to_the_goal)
    assert unchecked(checks) == {"Gymnasium's async batch plays the same": "needs parallel=True"}
    assert len(checks) >= 15


def test_processes_are_checked_when_asked_for():
    assert not unchecked(check_env("checked/Walk-v0", to_the_goal, parallel=True))


def test_what_cannot_be_checked_is_said():
    said = unchecked(check_env(Unpicklable(), lambda seen, turn: "left"))
    assert "does not pickle" in said["an unpickled copy plays the same"]
    assert "give an agent" in said["no loop earns more than solving"]
    assert "give its id" in said["twins, spec and batches"]
    assert "'module:Class'" in unchecked(check_env("checked/Callable-v0"))["the spec survives JSON and pickle"]


@pytest.mark.parametrize(
    ("env", "said"),
    [
        (Toll(), r"farming: from turn \d to \d of seed 0 the state came back and 0.01 was paid"),
        (Chatter(), r"farming: repeating 'stay' from turn 2 of seed 0 earns 3.2 .* return of 2.2"),
        (Changed(), "unpickled, turn 1 of seed 0 differs"),
        ("checked/Gossip-v0", "twins in lock-step, turn 1 of seed 0 differs"),
        ("checked/Lossy-v0", "in turnenv's batch, turn 4 of seed 0 differs"),
    ],
)
def test_breaches_are_found(env, said):
    with pytest.raises(ContractError, match=said):
        check_env(env, to_the_goal)


def test_an_agent_with_a_memory_begins_anew_each_episode():
    def make_agent():
        path = iter(["right", "left", "right", "right", "right"])
        return lambda observation: next(path)

    assert "no loop earns more than solving" not in unchecked(
        check_env("checked/Walk-v0", fresh_each_episode(make_agent))
    )


def test_no_episodes_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        check_env(Walk(), episodes=0)


def test_the_command_prints_what_was_checked(capsys):
    assert main(["check", "turnenv/GuessNumber-v0", "--no-parallel"]) == 0
    printed = capsys.readouterr().out
    assert "turnenv/GuessNumber-v0 keeps the contract" in printed
    assert "  snapshot, diverge, restore\n" in printed
    assert "  could not check: Gymnasium's async batch" in printed


def test_the_command_goes_on_after_a_breach_and_exits_1(capsys):
    ids = ["checked/Toll-v0", "checked/Walk-v0"]
    assert main(["check", *ids, "--no-parallel", "--agent", f"{__name__}:make_stayer"]) == 1
    printed = capsys.readouterr().out
    assert "checked/Toll-v0 BREAKS the contract: farming" in printed
    assert "checked/Walk-v0 keeps the contract" in printed


def make_stayer():
    return lambda observation: "stay"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["turnenv/GuesNumber-v0"], "did you mean turnenv/GuessNumber-v0"),
        (["no_such_module:me/Nim-v0"], "no_such_module"),
        (["xyzzy"], "imports a module first"),
        (["turnenv/GuessNumber-v0", "--agent", "math:no_such"], "a function of that module"),
    ],
)
def test_mistakes_are_explained_with_exit_code_2(arguments, said, capsys):
    assert main(["check", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_nothing_to_check_is_a_mistake(capsys):
    assert main(["check"]) == 2
    assert "--all" in capsys.readouterr().err


def test_a_module_is_imported_first(tmp_path):
    (tmp_path / "my_nims.py").write_text(
        "import gymnasium\nfrom turnenv import Reply, TextEnv\n"
        "class Nim(TextEnv):\n    max_turns = 2\n    def start(self, rng, options):\n        return [], 'hi'\n"
        "    def respond(self, state, action, rng):\n        return Reply.turn('go on')\n"
        "gymnasium.register('me/Nim-v0', entry_point=Nim)\n"
    )
    command = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from turnenv.commands.main import main; sys.exit(main())"
    )
    arguments = [str(tmp_path), "check", "my_nims:me/Nim-v0", "--no-parallel"]
    ran = subprocess.run([sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "me/Nim-v0 keeps the contract" in ran.stdout


def test_the_suite_is_quick():
    start = time.process_time()
    check_env("turnenv/GuessNumber-hard-v0")
    assert time.process_time() - start < 3.0


def test_the_checks_print_nothing(capsys):
    turnenv.check_env("turnenv/GuessNumber-v0", parallel=False)
    assert capsys.readouterr().out == ""


class Flag(TextEnv[None]):
    """An info of the right keys, one of them of a subclass of its type: bool is an int, numpy's float64 a float."""

    max_turns, changed = 2, ("turn", True)

    def start(self, rng, options):
        return None, "hi"

    def respond(self, state, action, rng):
        return Reply.turn("go on")

    def step(self, action):
        result = super().step(action)
        result[4].update([self.changed])
        return result


@pytest.mark.parametrize(
    "changed", [("turn", True), ("turn_reward", np.float64(0.0)), ("state_key", True), ("valid_action", 1)]
)
def test_a_subclass_of_an_infos_type_is_not_the_type(changed):
    env = Flag()
    env.changed = changed
    with pytest.raises(ContractError, match=rf"info at turn 1\[{changed[0]!r}\] is .*, expected a "):
        record(env, lambda observation, turn: "x", 0)
