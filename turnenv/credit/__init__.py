"""Credit assignment: pure functions from the turn rewards and outcomes of groups to the advantage of every turn."""

from turnenv.credit.alignment import Alignment, AlignmentWeighted, aw_grpo, measure_alignment
from turnenv.credit.batch import TurnBatch
from turnenv.credit.checks import CRITIC_FIELDS, TRAINING_FIELDS, check_estimator
from turnenv.credit.critics import CRITICS, critic_for
from turnenv.credit.normalise import group_normalise
from turnenv.credit.pooled import gigpo, igpo, matchtir
from turnenv.credit.returns import discounted_sums, return_to_go
from turnenv.credit.spec import Estimator, EstimatorSpec
from turnenv.credit.table import ESTIMATORS, NEEDS, SPECS, placebo, resolve, spec_of
from turnenv.credit.trajectory import gdpo, grpo_mr, grpo_or
from turnenv.credit.tree import tree_backup
from turnenv.credit.turn import mt_grpo, mt_grpo_released
from turnenv.credit.valued import oracle, turn_gae, value_targets, vine_ppo
from turnenv.credit.whole_batch import reinforce_pp

__all__ = [
    "CRITICS",
    "CRITIC_FIELDS",
    "ESTIMATORS",
    "NEEDS",
    "SPECS",
    "TRAINING_FIELDS",
    "Alignment",
    "AlignmentWeighted",
    "Estimator",
    "EstimatorSpec",
    "TurnBatch",
    "aw_grpo",
    "check_estimator",
    "critic_for",
    "discounted_sums",
    "gdpo",
    "gigpo",
    "group_normalise",
    "grpo_mr",
    "grpo_or",
    "igpo",
    "matchtir",
    "measure_alignment",
    "mt_grpo",
    "mt_grpo_released",
    "oracle",
    "placebo",
    "reinforce_pp",
    "resolve",
    "return_to_go",
    "spec_of",
    "tree_backup",
    "turn_gae",
    "value_targets",
    "vine_ppo",
]
