"""Credit assignment: pure functions from turn rewards, outcomes and groups to advantages of each turn."""

from turnenv.credit.batch import TurnBatch
from turnenv.credit.normalise import group_normalise
from turnenv.credit.registry import ESTIMATORS, Estimator, resolve
from turnenv.credit.returns import discounted_sums, return_to_go
from turnenv.credit.trajectory import gdpo, grpo_mr, grpo_or
from turnenv.credit.turn import mt_grpo, mt_grpo_released

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "TurnBatch",
    "discounted_sums",
    "gdpo",
    "group_normalise",
    "grpo_mr",
    "grpo_or",
    "mt_grpo",
    "mt_grpo_released",
    "resolve",
    "return_to_go",
]
