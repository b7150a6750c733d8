"""Train an agent with MT-GRPO: a turn is scored on its own reward plus the outcome, the last turn on the outcome.

Turn k of an episode gets z(turn reward k) + lam · z(outcome), where z compares with the same turn of the other episodes
of its group (arXiv 2505.11821, eq. 5-6). The baselines are this file with another estimator: diff them.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnenv.training.recipe import make_trainer, parse, train_and_save


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, train, save.

    The trainer plays `num_generations` episodes of each task with the current policy (`turnenv.collect`), asks the
    estimator `turnenv.credit.mt_grpo` for the advantage of each turn, and takes a clipped policy-gradient step on the
    tokens that the policy wrote; what the environment wrote is read and not trained.

    Args:
        argv: the arguments; those of the process by default.
    """
    recipe, args, model_args = parse(
        str(__doc__),
        argv,
        credit="mt_grpo",
        output_dir="runs/mt_grpo",
    )
    train_and_save(make_trainer(recipe, args, model_args))


if __name__ == "__main__":
    main()
