"""Train an agent with turn-level PPO: a turn is scored on its own reward and what its state turned out to be worth.

Turn k of an episode gets Σ_l (γλ)^(l-k) δ_l with δ_l = r_l + γ V_(l+1) - V_l, where V is a critic's value of the state
before a turn and r the turn's reward, the outcome added at the last turn (arXiv 2512.17008; MT-PPO of arXiv 2505.11821
at the level of turns, with γ = λ = 1). The baselines ppo_or and ppo_mr are this file with other rewards: diff them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from turnenv.commands.train import recipe


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, train, save; the exit code. This is `turnenv train` with defaults of its own.

    The trainer plays `num_generations` episodes of each task with the current policy (`turnenv.collect`), asks the
    critic for the value before each turn and the estimator `turnenv.credit.turn_gae` for the advantage of each turn,
    takes a clipped policy-gradient step on the tokens that the policy wrote, and lets the critic learn the returns.

    Args:
        argv: the arguments; those of the process by default.
    """
    return recipe(__doc__, argv, credit="turn_gae", credit_kwargs={"rewards": "turn"}, output_dir="runs/mt_ppo")


if __name__ == "__main__":
    sys.exit(main())
