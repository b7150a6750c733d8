"""The true advantages of an episode that was played, by a policy whose probabilities are known."""

from __future__ import annotations

from turnenv.core.state_keys import hash_state
from turnenv.exact.model import Floats, TabularModel
from turnenv.exact.solve import Objective, evaluate
from turnenv.types import Episode


def true_advantages(
    model: TabularModel, policy: Floats, episode: Episode, objective: Objective = "shaped"
) -> tuple[float, ...]:
    """`Q^π - V^π` of each turn's action, exactly, (K,): what an estimator guesses from a group.

    Args:
        model: of the episode's task.
        policy: probability of each action, (S, A), or (H, S, A) if it depends on the turns taken.
        episode: played by that policy.
        objective: what is summed.

    Raises:
        ValueError: if the episode passes a state or takes an action that the model does not have, or has more turns
            than it, or the policy has another shape.
    """
    if len(episode.turns) > model.horizon:
        raise ValueError(
            f"the episode has {len(episode.turns)} turns, and the model ends after {model.horizon}: "
            "make it of an environment with the same options as the episode's"
        )
    advantages_HSA = evaluate(model, policy, objective).advantages
    states = {hash_state(key): number for key, number in model.index.items()}
    actions = {text: number for number, text in enumerate(model.actions)}
    found = []
    for number, turn in enumerate(episode.turns):
        if turn.state_key not in states:
            raise ValueError(
                f"turn {number + 1} is in a state that the model does not have: was it made for this task?"
            )
        if turn.action not in actions:
            raise ValueError(f"the model has no action {turn.action!r}, which turn {number + 1} took")
        found.append(float(advantages_HSA[number, states[turn.state_key], actions[turn.action]]))
    return tuple(found)
