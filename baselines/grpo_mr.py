"""Train an agent with GRPO on merged rewards: every turn of an episode gets the same score, that of its return.

Every turn gets z(outcome + sum of turn rewards), where z compares with the other episodes of its group
(arXiv 2505.11821, §3.1). MT-GRPO is this file with another estimator: diff it with agents/mt_grpo.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnenv.training.recipe import make_trainer, parse, train_and_save


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, train, save.

    The trainer plays `num_generations` episodes of each task with the current policy (`turnenv.collect`), asks the
    estimator `turnenv.credit.grpo_mr` for the advantage of each turn, and takes a clipped policy-gradient step on the
    tokens that the policy wrote; what the environment wrote is read and not trained.

    Args:
        argv: the arguments; those of the process by default.
    """
    recipe, args, model_args = parse(
        str(__doc__),
        argv,
        credit="grpo_mr",
        output_dir="runs/grpo_mr",
    )
    train_and_save(make_trainer(recipe, args, model_args))


if __name__ == "__main__":
    main()
