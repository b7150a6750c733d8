"""Whoever goes after turn rewards and leaves the task unsolved earns less than the expert, in every id."""

import random

import gymnasium
import pytest

import turnenv
from agents.scripted import EXPERTS, RANDOMS
from turnenv import Scripted, check_env, collect
from turnenv.commands.check import fresh_each_episode

RANDOM_AGENTS, POOL = 2, 10


def hoard(env, expert, random_agents, seed):
    """Play the expert's episode greedily for turn rewards: try a pool of actions from a snapshot, never solve.

    The pool: what the expert wrote at this turn and elsewhere in its episode, what random agents write, the own last
    action. Ties go on rather than end. Returns the episode's return.
    """
    rng = random.Random(seed)
    observation, _ = env.reset(seed=seed)
    advice = [turn.action for turn in expert.turns]
    last, total = "", 0.0
    for turn in range(env.max_turns):
        elsewhere, chance = rng.sample(advice, min(POOL, len(advice))), (act(observation) for act in random_agents)
        pool = [last, *advice[turn : turn + 1], *elsewhere, *chance]
        here, tried = env.snapshot(), []
        for action in dict.fromkeys(pool):
            _, _, terminated, truncated, info = env.step(action)
            env.restore(here)
            over = terminated or truncated
            if not (over and info["outcome"]["success"]):
                tried.append((info["turn_reward"], not over, rng.random(), action))
        if not tried:
            return total  # whatever it does now solves the task
        last = max(tried)[-1]
        observation, reward, terminated, truncated, info = env.step(last)
        total += reward
        if terminated or truncated:
            assert not info["outcome"]["success"]
            return total
    raise AssertionError("an episode ends by max_turns")


def never_beats_the_expert(env_id, seeds):
    env = gymnasium.make(env_id).unwrapped
    experts = collect(env_id, Scripted(EXPERTS[env_id]), seeds)
    solved = [expert for expert in experts if expert.outcome.success]
    assert len(solved) >= 0.75 * len(experts)
    for expert in solved:
        agents = [RANDOMS[env_id](RANDOM_AGENTS * expert.seed + number) for number in range(RANDOM_AGENTS)]
        assert hoard(env, expert, agents, expert.seed) < expert.total_reward


@pytest.mark.parametrize("env_id", EXPERTS)
def test_hoarding_turn_rewards_never_beats_the_expert(env_id):
    never_beats_the_expert(env_id, range(5))


@pytest.mark.slow
@pytest.mark.parametrize("env_id", EXPERTS)
def test_hoarding_turn_rewards_never_beats_the_expert_over_many_seeds(env_id):
    never_beats_the_expert(env_id, range(100))


@pytest.mark.parametrize("env_id", EXPERTS)
def test_no_action_of_the_experts_can_be_looped_for_pay(env_id):
    said = {
        check.claim: check.unchecked for check in check_env(env_id, fresh_each_episode(EXPERTS[env_id]), episodes=4)
    }
    assert said["no loop earns more than solving"] == ""


class Miser(turnenv.TextEnv[list[int]]):
    """A broken task: 'coin' pays more in four turns than 'solve' ever does."""

    max_turns = 4

    def start(self, rng, options):
        return [0], "coin or solve"

    def respond(self, state, action, rng):
        state[0] += 1
        if action == "solve":
            return turnenv.Reply.final("solved", outcome={"solved": 1.0}, success=True)
        return turnenv.Reply.turn("go on", {"coin": 0.4 * (action == "coin")})


def test_the_adversary_finds_a_task_that_can_be_farmed():
    (expert,) = collect(Miser, Scripted(lambda: lambda seen: "solve"), [0])
    assert hoard(Miser(), expert, [lambda seen: "coin"], 0) == pytest.approx(1.6)
    assert expert.total_reward == 1.0
