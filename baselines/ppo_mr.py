"""Train an agent with PPO on merged rewards: everything that an episode earns is paid at its last turn.

Turn k gets Σ_l (γλ)^(l-k) δ_l with δ_l = r_l + γ V_(l+1) - V_l, where r is the outcome plus the sum of turn rewards at
the last turn and 0 before, and the critic learns returns (PPO-MR of arXiv 2505.11821, at the level of turns).
Turn-level PPO is this file with other rewards: diff it with agents/mt_ppo.py.
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
    return recipe(__doc__, argv, credit="turn_gae", credit_kwargs={"rewards": "merged"}, output_dir="runs/ppo_mr")


if __name__ == "__main__":
    sys.exit(main())
