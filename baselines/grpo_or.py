"""Train an agent with GRPO on outcome rewards: every turn of an episode gets the same score, that of its outcome.

Every turn gets z(outcome), where z compares with the other episodes of its group; turn rewards are not read
(arXiv 2505.11821, eq. 4). MT-GRPO is this file with another estimator: diff it with agents/mt_grpo.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from turnenv.commands.train import recipe


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, train, save; the exit code. This is `turnenv train` with defaults of its own.

    The trainer plays `num_generations` episodes of each task with the current policy (`turnenv.collect`), asks the
    estimator `turnenv.credit.grpo_or` for the advantage of each turn, and takes a clipped policy-gradient step on the
    tokens that the policy wrote; what the environment wrote is read and not trained.

    Args:
        argv: the arguments; those of the process by default.
    """
    return recipe(__doc__, argv, credit="grpo_or", output_dir="runs/grpo_or")


if __name__ == "__main__":
    sys.exit(main())
