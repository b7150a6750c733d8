"""A real environment and its enumerated model side by side."""

import numpy as np

from turnenv.exact import expected_return, tabular_model


def enumerated(env, tasks=(0,)):
    """The model of an environment whose episodes play these tasks."""
    return tabular_model(env.unwrapped, tasks)


def check_lock_step(env, model, episodes, task=0):
    """Every step of the real environment is a branch of the model, with the same pay, end and outcome."""
    env, index, rng = env.unwrapped, model.index, np.random.default_rng(0)
    for seed in range(episodes):
        env.reset(seed=seed, options={"task": task})
        over = False
        while not over:
            state, action = index[env.state_key(env._state)], int(rng.integers(len(model.actions)))
            _, _, terminated, truncated, info = env.step(model.actions[action])
            over = terminated or truncated
            cell, branches = (state, action), model.probabilities[state, action] > 0.0
            assert abs(model.probabilities[cell].sum() - 1.0) < 1e-12
            branches &= np.isclose(model.turn_rewards[cell], info["turn_reward"], atol=1e-12)
            if over and info["outcome"]["end"] != "turn_limit":
                branches &= model.ends[cell] & np.isclose(model.outcome_rewards[cell], info["outcome_reward"])
                branches &= model.successes[cell] == info["outcome"]["success"]
            else:
                after = index[env.state_key(env._state)]
                branches &= ~model.ends[cell] & (model.next_states[cell] == after)
                assert not over or model.silence[after] == info["outcome_reward"]
            assert branches.sum() == 1


def check_monte_carlo(env, model, policy, episodes, tasks=(0,)):
    """Mean outcome and mean return of real episodes lie within the 99 % interval around the exact values."""
    env, index, rng = env.unwrapped, model.index, np.random.default_rng(1)
    cumulative = policy.cumsum(-1)
    outcomes, returns = np.zeros(episodes), np.zeros(episodes)
    for episode in range(episodes):
        env.reset(seed=episode, options={"task": tasks[episode % len(tasks)]})
        over, draws = False, iter(rng.random(env.max_turns))
        while not over:
            row = cumulative[index[env.state_key(env._state)]]
            action = min(int(row.searchsorted(next(draws), side="right")), len(row) - 1)
            _, reward, terminated, truncated, info = env.step(model.actions[action])
            over, returns[episode] = terminated or truncated, returns[episode] + reward
        outcomes[episode] = info["outcome_reward"]
    for objective, seen in (("outcome", outcomes), ("shaped", returns)):
        margin = 2.576 * seen.std() / np.sqrt(episodes) + 1e-12
        assert abs(seen.mean() - expected_return(model, policy, objective)) <= margin, objective
