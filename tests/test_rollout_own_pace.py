"""Episodes at their own pace: the same records as in lock-step, faults kept apart, none waits for another."""

import random
import threading

import anyio
import gymnasium
import pytest

import turnenv
from turnenv.core import Reply, TextEnv
from turnenv.policies import Action, PacedPolicy, PolicyFault

IDS = ("turnenv/GuessNumber-v0", "turnenv/TriviaSearch-v0", "turnenv/CreditChain-v0")


def next_text(seen, turn):
    return str(10 + 7 * turn + len(seen) % 5)


class Paced:
    """Answers each observation after a random wait."""

    def __init__(self, concurrency, wait=0.0, fail=()):
        self.concurrency, self.wait, self.fail = concurrency, wait, dict(fail)
        self.running = self.most = 0

    def converse(self, system_prompt, tools, grammar, seed):
        return Talk(self, system_prompt, seed)


class Talk:
    def __init__(self, policy, system_prompt, seed):
        self.policy, self.seed, self.turn = policy, seed, 0
        assert isinstance(system_prompt, str)

    async def act(self, observation):
        policy = self.policy
        policy.running += 1
        policy.most = max(policy.most, policy.running)
        await anyio.sleep(random.random() * policy.wait)
        policy.running -= 1
        self.turn += 1
        if policy.fail.get(self.seed) == self.turn:
            raise PolicyFault("the server is down")
        return next_text(observation, self.turn)


def in_lockstep():
    def make():
        turn = iter(range(1, 1000))
        return lambda seen: next_text(seen, next(turn))

    return turnenv.Scripted(make)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_the_records_are_those_of_lockstep(env_id, concurrency):
    seeds = [3, 3, 5, 8, 9, 10, 11, 3]
    assert isinstance(Paced(1), PacedPolicy)
    finished = []
    paced = turnenv.collect(
        env_id, Paced(concurrency, 0.01), seeds, on_finished=lambda row, episode: finished.append(row)
    )
    assert paced == turnenv.collect(env_id, in_lockstep(), seeds)
    assert sorted(finished) == list(range(len(seeds)))


def test_tasks_wrapped_and_reused_environments():
    seeds, tasks = [1, 2, 3, 4], [29, 30, 31, 32]
    expected = turnenv.collect(IDS[0], in_lockstep(), seeds, tasks=tasks)
    assert turnenv.collect(IDS[0], Paced(2), seeds, tasks=tasks) == expected
    batch = turnenv.rollout.vectorise(IDS[0], 2)
    for _ in range(2):
        assert turnenv.collect(batch, Paced(2), seeds, tasks=tasks) == expected
    limited = turnenv.collect(gymnasium.make(IDS[0], max_episode_steps=2), Paced(4), seeds)
    assert max(len(episode.turns) for episode in limited) == 2


def test_no_more_than_concurrency_at_once():
    policy = Paced(3, 0.01)
    turnenv.collect(IDS[0], policy, range(12))
    assert policy.most == 3


def test_a_fault_of_the_policy_ends_its_episode_alone():
    episodes = turnenv.collect(IDS[0], Paced(4, fail={1: 1, 2: 3}), [0, 1, 2, 3])
    assert [episode.faulted for episode in episodes] == [False, True, True, False]
    assert episodes[1].outcome.fault == "the server is down"
    assert (len(episodes[1].turns), len(episodes[2].turns)) == (1, 3)
    assert episodes[1].turns[-1].action == ""
    assert episodes[2].total_reward == sum(episodes[2].turn_rewards[:2])


def test_a_fault_of_a_batch_policy_is_the_same():
    class Batch:
        def begin(self, system_prompts, tools):
            self.turn = 0

        def act(self, rows, observations):
            self.turn += 1
            down = {1: 1, 2: 3}
            return [
                Action("", fault="the server is down") if down.get(row) == self.turn else next_text(seen, self.turn)
                for row, seen in zip(rows, observations, strict=True)
            ]

    paced = turnenv.collect(IDS[0], Paced(4, fail={1: 1, 2: 3}), [0, 1, 2, 3])
    assert turnenv.collect(IDS[0], Batch(), [0, 1, 2, 3]) == paced


@pytest.mark.parametrize(("answer", "error"), [(7, TypeError), (None, TypeError)])
def test_a_wrong_answer_is_said_and_everything_stops(answer, error):
    class Wrong(Paced):
        def converse(self, system_prompt, tools, grammar, seed):
            talk = super().converse(system_prompt, tools, grammar, seed)

            async def act(observation):
                return answer if seed == 2 else "1"

            talk.act = act
            return talk

    with pytest.raises(error, match="act returns"):
        turnenv.collect(IDS[0], Wrong(4), range(4))
    with pytest.raises(ValueError, match="concurrency"):
        turnenv.collect(IDS[0], Paced(0), range(4))


class Slow(TextEnv[int]):
    """Two turns; a step of task 0 lasts until all episodes of other tasks are over."""

    max_turns, num_tasks = 4, 64
    others_are_over = threading.Event()

    def start(self, rng, options):
        return options["task"], "begin"

    def respond(self, state, action, rng):
        if state == 0 and not self.others_are_over.wait(30):
            return Reply.fault("", "the others waited for this one")
        return Reply.final("end", success=True) if self._turn == 2 else Reply.turn("go on")


@pytest.mark.parametrize("tasks", [[0, *range(1, 16)], [*range(1, 16), 0]])
def test_nobody_waits_for_the_slow_one(tasks):
    Slow.others_are_over.clear()
    over = []

    def finished(row, episode):
        over.append(episode.task)
        if len(over) == len(tasks) - 1:
            Slow.others_are_over.set()

    episodes = turnenv.collect(Slow, Paced(2), range(len(tasks)), tasks=tasks, on_finished=finished)
    assert not any(episode.faulted for episode in episodes)
    assert over[-1] == 0


def test_it_works_inside_a_running_event_loop():
    async def main():
        return turnenv.collect(IDS[0], Paced(2), range(3))

    assert len(anyio.run(main)) == 3
