"""The table of estimators: everything that is said of one outside its own module is declared here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from turnenv.credit.alignment import AlignmentWeighted, aw_grpo
from turnenv.credit.own import load
from turnenv.credit.placebo import placebo_of
from turnenv.credit.pooled import gigpo, igpo, matchtir
from turnenv.credit.returns import return_to_go
from turnenv.credit.spec import Estimator, EstimatorSpec
from turnenv.credit.trajectory import gdpo, grpo_mr, grpo_or
from turnenv.credit.tree import tree_backup
from turnenv.credit.turn import mt_grpo, mt_grpo_released
from turnenv.credit.valued import oracle, turn_gae, vine_ppo
from turnenv.credit.whole_batch import reinforce_pp


def spec_of(name: str) -> EstimatorSpec:
    """Find an estimator by name: one of turnenv's, or a user's own as `module:function` or `file.py:function`.

    Raises:
        ValueError: if no estimator has that name, with the closest ones; or if the user's own cannot be imported.
    """
    if name in SPECS:
        return SPECS[name]
    if ":" in name:
        return load(name)
    close = get_close_matches(name.lower().replace("-", "_"), SPECS)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise ValueError(
        f"no estimator is named {name!r}; {hint}known: {', '.join(ESTIMATORS)}; "
        "your own is module:function or file.py:function"
    )


def resolve(estimator: str | Estimator) -> Estimator:
    """Find an estimator for one training run; a callable is returned as it is.

    An estimator that remembers earlier batches is made anew: `ESTIMATORS["aw_grpo"]` is the function that scores one
    batch, `resolve("aw_grpo")` an `AlignmentWeighted` that goes on from batch to batch.

    Args:
        estimator: a key of `ESTIMATORS`; `module:function` or `file.py:function` for a user's own; or any function of a
            `TurnBatch` that returns advantages (B, K).

    Raises:
        ValueError: if no estimator has that name, with the closest ones; or if the user's own cannot be imported.
    """
    return estimator if callable(estimator) else spec_of(estimator).fresh()


placebo = placebo_of(resolve)

_TABLE = (
    EstimatorSpec(
        "grpo_or",
        grpo_or,
        "GRPO-OR",
        formula="z(outcome)",
        granularity="trajectory",
        family="Monte Carlo",
        paper="GRPO on the outcome alone, arXiv 2505.11821 (eq. 4)",
    ),
    EstimatorSpec(
        "grpo_mr",
        grpo_mr,
        "GRPO-MR",
        formula="z(outcome + Σ turn rewards)",
        granularity="trajectory",
        family="Monte Carlo",
        paper="GRPO on the merged reward, arXiv 2505.11821 (§3.1)",
    ),
    EstimatorSpec(
        "gdpo",
        gdpo,
        "GDPO",
        formula="z(outcome) + z(Σ turn rewards)",
        granularity="trajectory",
        family="Monte Carlo",
        paper="GDPO, arXiv 2601.05242",
    ),
    EstimatorSpec(
        "mt_grpo",
        mt_grpo,
        "MT-GRPO",
        formula="z(turn reward k) + λ·z(outcome); last turn z(outcome)",
        granularity="turn",
        family="Monte Carlo",
        paper="MT-GRPO, arXiv 2505.11821 (eq. 5–6, 10–12)",
    ),
    EstimatorSpec(
        "mt_grpo_released",
        mt_grpo_released,
        "MT-GRPO (released code)",
        formula="z(outcome) + c·z(Σ turn rewards) in the first turn, z(outcome) later; `grpo_mr` without a second turn",
        granularity="turn",
        family="Monte Carlo",
        paper="the code released with arXiv 2505.11821",
    ),
    EstimatorSpec(
        "return_to_go",
        return_to_go,
        "Return-to-go",
        formula="z(rewards from turn k on); unbiased with `baseline=loo:scale=none:absent=zero`",
        granularity="turn",
        family="Monte Carlo",
        paper="GTPO, arXiv 2511.14846",
    ),
    EstimatorSpec(
        "reinforce_pp",
        reinforce_pp,
        "REINFORCE++",
        formula="rewards from turn k on, whitened over the batch",
        granularity="turn",
        family="Monte Carlo",
        paper="REINFORCE++, arXiv 2501.03262",
    ),
    EstimatorSpec(
        "igpo",
        igpo,
        "IGPO",
        formula="Σ of the scores from turn k on, all turns of a group in one pool",
        granularity="turn",
        family="Monte Carlo",
        paper="IGPO, arXiv 2510.14967",
    ),
    EstimatorSpec(
        "matchtir",
        matchtir,
        "MatchTIR",
        formula="mean of z(return) and z(discounted rewards from turn k on)",
        granularity="turn",
        family="Monte Carlo",
        paper="MatchTIR, arXiv 2601.10712",
    ),
    EstimatorSpec(
        "gigpo",
        gigpo,
        "GiGPO",
        formula="z(return) + w·z(discounted rewards from turn k on) among turns from the same state",
        granularity="turn",
        family="Monte Carlo",
        paper="GiGPO, arXiv 2505.10978",
        needs=frozenset({"state_keys"}),
    ),
    EstimatorSpec(
        "placebo",
        placebo,
        "placebo",
        formula="another estimator's, with turn rewards shuffled in the group: the floor of a comparison",
        granularity="turn",
        family="Monte Carlo",
        seeded=True,
    ),
    EstimatorSpec(
        "aw_grpo",
        aw_grpo,
        "AW-GRPO (ours)",
        formula="τ·z(turn reward k) + z(outcome), where τ measures how well turn rewards agreed with outcomes so far",
        granularity="turn",
        family="Monte Carlo",
        paper="turnenv's own, derived in `turnenv.credit.alignment`",
        make=AlignmentWeighted,
    ),
    EstimatorSpec(
        "turn_gae",
        turn_gae,
        "turn GAE",
        formula="generalised advantages over turns, on a critic's values",
        granularity="turn",
        family="temporal difference",
        paper="Turn-PPO, arXiv 2512.17008",
        needs=frozenset({"values"}),
    ),
    EstimatorSpec(
        "vine_ppo",
        vine_ppo,
        "VinePPO",
        formula="one step ahead on Monte-Carlo values",
        granularity="turn",
        family="Monte Carlo",
        paper="VinePPO, arXiv 2410.01679",
        needs=frozenset({"values"}),
        monte_carlo=True,
    ),
    EstimatorSpec(
        "tree_backup",
        tree_backup,
        "tree backup",
        formula="value of the branch less the mean of the branches from its state",
        granularity="turn",
        family="Monte Carlo",
        paper="CARL, arXiv 2512.04949; Tree-GRPO, arXiv 2509.21240",
        needs=frozenset({"parents"}),
    ),
    EstimatorSpec(
        "oracle",
        oracle,
        "oracle",
        formula="the true advantage, known where `turnenv.exact` solves the environment: a reference, not a ceiling",
        granularity="turn",
        family="model-based",
        needs=frozenset({"true_advantages"}),
    ),
)

SPECS: Mapping[str, EstimatorSpec] = MappingProxyType({spec.name: spec for spec in _TABLE})
"""Name → what is declared of the estimator, in the order of reports: baselines first."""

ESTIMATORS: Mapping[str, Estimator] = MappingProxyType({name: SPECS[name].function for name in sorted(SPECS)})
"""Name → the function that scores one batch, in alphabetical order."""

NEEDS: Mapping[str, frozenset[str]] = MappingProxyType({name: spec.needs for name, spec in SPECS.items() if spec.needs})
"""Name → optional fields of a `TurnBatch` that the estimator cannot do without; those not listed need none."""
