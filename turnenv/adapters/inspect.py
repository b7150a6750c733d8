"""Any environment as a task of Inspect (`inspect_ai`), which brings its providers, its logs and their viewer."""

from __future__ import annotations

from typing import Any

from anyio import to_thread

from turnenv.adapters.any_env import AnyEnv, env_maker
from turnenv.core.contract import TextEnvironment, read_outcome
from turnenv.extras import needs
from turnenv.types import Episode, Turn
from turnenv.version import __version__

with needs("inspect", "turnenv.adapters.inspect"):
    from inspect_ai import Task, task
    from inspect_ai.dataset import Sample
    from inspect_ai.log import transcript
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser
    from inspect_ai.scorer import Score, mean, scorer, stderr
    from inspect_ai.solver import solver
    from inspect_ai.util import span

__all__ = ["EPISODE", "FaultError", "episode_of", "rewards", "take_turns", "turnenv_task"]

#: Where a sample's store holds the episode, as JSON.
EPISODE = "turnenv:episode"


class FaultError(RuntimeError):
    """The infrastructure of an environment failed: the sample is an error and has no score."""


@task(name="turnenv")  # type: ignore[untyped-decorator]
def turnenv_task(env: AnyEnv, *, episodes: int = 100, seed: int = 0, **kwargs: Any) -> Task:
    """Make a task: one sample per episode, played by the model in the environment's own text, calls included.

    A faulted episode is an error of its sample, not a score, and the evaluation goes on.

    Args:
        env: an id, an environment, or a function that makes one; see `turnenv.adapters.as_text_env`.
        episodes: how many samples; they are seeded `seed`, `seed + 1`, ….
        seed: of the first one.
        **kwargs: passed to the environment's constructor.

    Raises:
        TypeError: if it is not a text environment.
        ValueError: if `episodes` is below 1.
    """
    if episodes < 1:
        raise ValueError(f"episodes is at least 1; got {episodes}")
    make = env_maker(env, **kwargs)
    first = make()
    env_id = type(first).__name__ if first.spec is None else str(first.spec.id)
    seeds = range(seed, seed + episodes)
    return Task(
        dataset=[_sample(first, number) for number in seeds],
        solver=take_turns(make, env_id),
        scorer=rewards(),
        fail_on_error=False,
        display_name=env_id,
        version=__version__,
        metadata={"env": env_id, "turnenv": __version__},
    )


def episode_of(sample: Any) -> Episode:
    """The episode of a sample of a log, such as `read_eval_log(path).samples[0]`.

    Raises:
        ValueError: if the sample ended in an error, so that there is none.
    """
    if EPISODE not in sample.store:
        raise ValueError(f"sample {sample.id} has no finished episode")
    return Episode.from_json(sample.store[EPISODE])


@solver  # type: ignore[untyped-decorator]
def take_turns(make: Any, env_id: str) -> Any:
    """Play one episode: the model writes, the environment answers, until the environment ends it.

    Args:
        make: makes an environment.
        env_id: for the record.
    """

    async def solve(state: Any, generate: Any) -> Any:
        env, seed = make(), state.metadata["seed"]
        observation, info = await to_thread.run_sync(lambda: env.reset(seed=seed))
        if info["system_prompt"]:
            state.messages.insert(0, ChatMessageSystem(content=info["system_prompt"]))
        task_number, turns, outcome = int(info["task"]), list[Turn](), None
        while outcome is None:
            async with span(f"turn {len(turns) + 1}"):
                state = await generate(state, tool_calls="none")
                action, seen = state.output.completion, observation
                observation, _, _, _, info = await to_thread.run_sync(env.step, action)
                turns.append(
                    Turn(
                        seen,
                        action,
                        info["turn_reward"],
                        info["reward_components"],
                        info["state_key"],
                        info["valid_action"],
                    )
                )
                _log_turn(info)
                outcome = read_outcome(info)
            state.messages.append(ChatMessageUser(content=observation))
        if outcome.fault:
            raise FaultError(outcome.fault)
        episode = Episode(env_id, task_number, seed, tuple(turns), outcome, observation, __version__)
        state.store.set(EPISODE, episode.to_json())
        return state

    return solve


@scorer(metrics={"*": [mean(), stderr()]})  # type: ignore[untyped-decorator]
def rewards() -> Any:
    """Score an episode by its success, its outcome's reward, the sum of its turn rewards, their sum, and its turns."""

    async def score(state: Any, target: Any) -> Score:
        kept = state.store.get(EPISODE)
        if kept is None:
            raise FaultError(
                "the episode did not end: a limit of Inspect's cut it; turns are the environment's to limit"
            )
        episode = Episode.from_json(kept)
        return Score(
            value={
                "success": float(episode.outcome.success),
                "outcome": episode.outcome.reward,
                "turn_rewards": sum(episode.turn_rewards),
                "return": episode.total_reward,
                "turns": len(episode.turns),
            },
            answer=episode.turns[-1].action,
            explanation=f"{episode.outcome.end} after {len(episode.turns)} turns",
            metadata={
                "turn_rewards": list(episode.turn_rewards),
                "reward_components": [dict(turn.reward_components) for turn in episode.turns],
                "outcome_components": dict(episode.outcome.components),
            },
        )

    return score


def _sample(env: TextEnvironment, seed: int) -> Sample:
    observation, info = env.reset(seed=seed)
    return Sample(input=observation, id=f"seed-{seed}", metadata={"seed": seed, "task": int(info["task"])})


def _log_turn(info: dict[str, Any]) -> None:
    kept = ("turn", "turn_reward", "reward_components", "valid_action", "outcome_reward", "outcome", "fault")
    transcript().info({name: info[name] for name in kept if name in info}, source="turnenv")
