"""Five planted faults are told from their symptoms, and no sound estimator is accused."""

import numpy as np
import pytest

from benchmarks.credit.contenders import Contender
from benchmarks.credit.faults import (
    FLAGS,
    Pipeline,
    Tokens,
    check,
    checked_batch,
    examine,
    planted,
    spread_over_policy_tokens,
)
from benchmarks.harness.methods import Method, parse_methods
from turnenv.credit import ESTIMATORS

VARIANTS = "mt_grpo:accumulate=true,return_to_go:baseline=loo:scale=none:absent=zero"
CONTENDERS = [
    contender
    for method in (*(Method(name=name) for name in ESTIMATORS), *parse_methods(VARIANTS))
    if not (contender := Contender.of(method)).lacks
]


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
def test_no_sound_estimator_is_accused(contender):
    assert check(contender) == []


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
@pytest.mark.parametrize("fault", FLAGS.values())
def test_a_planted_fault_is_named_wherever_it_changes_anything(contender, fault):
    batch, _ = checked_batch(contender.needs)
    sound, broken = Pipeline(contender, spread_over_policy_tokens), planted(contender)[fault]
    tokens = Tokens.of(batch)
    before, after = (each.spread(each.advantages(batch), tokens) for each in (sound, broken))
    assert examine(broken).flags == ([] if np.allclose(before, after, atol=1e-9) else [fault])


def test_all_five_are_told_apart_on_mt_grpo():
    contender = Contender.of(Method(name="mt_grpo"))
    assert {fault: examine(pipeline).flags for fault, pipeline in planted(contender).items()} == {
        fault: [fault] for fault in FLAGS.values()
    }
