"""Train an agent with MT-GRPO: a turn is scored on its own reward plus the outcome, the last turn on the outcome.

Turn k of an episode gets z(turn reward k) + lam · z(outcome), where z compares with the same turn of the other episodes
of its group (arXiv 2505.11821, eq. 5-6). The baselines are this file with another estimator: diff them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from turnenv.commands.train import recipe


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, train, save; the exit code. This is `turnenv train` with defaults of its own.

    The trainer plays `num_generations` episodes of each task with the current policy (`turnenv.collect`), asks the
    estimator `turnenv.credit.mt_grpo` for the advantage of each turn, and takes a clipped policy-gradient step on the
    tokens that the policy wrote; what the environment wrote is read and not trained.

    Args:
        argv: the arguments; those of the process by default.
    """
    return recipe(__doc__, argv, credit="mt_grpo", output_dir="runs/mt_grpo")


if __name__ == "__main__":
    sys.exit(main())
