"""The table of estimators is complete, unchangeable, and helps whoever mistypes a name."""

import inspect

import numpy as np
import pytest

import turnenv.credit as credit
from benchmarks.harness.estimator_table import PAGE, with_table
from turnenv.credit import ESTIMATORS, SPECS, TurnBatch, resolve
from turnenv.credit.checks import OPTIONAL_FIELDS


def test_estimators_are_public_under_their_own_names():
    public = set(ESTIMATORS).intersection(credit.__all__)
    assert all(getattr(credit, name) is ESTIMATORS[name] for name in public)
    assert len(public) >= 16
    assert list(ESTIMATORS) == sorted(ESTIMATORS) == sorted(SPECS)
    assert set(credit.NEEDS) < set(ESTIMATORS)


def test_every_estimator_is_declared_in_full():
    for name, spec in SPECS.items():
        assert spec.name == name == spec.function.__name__
        assert spec.title
        assert spec.formula
        assert spec.granularity in ("trajectory", "turn")
        assert spec.family in ("Monte Carlo", "temporal difference", "model-based")
        assert spec.needs <= set(OPTIONAL_FIELDS)
        assert spec.seeded == ("seed" in inspect.signature(spec.function).parameters)
        assert (spec.fresh() is spec.function) == (spec.make is None)


def test_the_table_in_the_documentation_is_made_from_it():
    text = PAGE.read_text(encoding="utf-8")
    assert text == with_table(text), "run `python -m benchmarks pages --keep-scores` and commit"
    assert all(text.count(f"\n| `{name}` |") == 1 for name in SPECS)


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="one of them is missing"):
        with_table("# Training")


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        ESTIMATORS["mine"] = credit.grpo_or  # type: ignore[index]


def test_resolve_takes_a_name_or_a_function():
    def constant(batch: TurnBatch, *, level: float = 1.0):
        return level * batch.turn_mask

    assert resolve("mt_grpo") is credit.mt_grpo
    assert resolve(constant) is constant


@pytest.mark.parametrize("typo", ["mtgrpo", "MT-GRPO", "mt_gpro"])
def test_resolve_names_the_close_ones(typo):
    with pytest.raises(ValueError, match=f"no estimator is named '{typo}'; did you mean .*'mt_grpo'"):
        resolve(typo)


def test_resolve_lists_them_all_when_nothing_is_close():
    with pytest.raises(ValueError, match="no estimator is named 'xyzzy'; known: aw_grpo, gdpo, gigpo"):
        resolve("xyzzy")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("grpo_or", {"scale": "batch"}, "scale='batch' is not an option; choose one of 'std', 'none'"),
        ("grpo_mr", {"baseline": "median"}, "baseline='median'"),
        ("mt_grpo", {"final_turn": "turn"}, "final_turn='turn'"),
        ("mt_grpo", {"accumulate": True, "alpha": 1.5}, "alpha=1.5 is not a discount"),
        ("mt_grpo", {"accumulate": True, "lam": 0.2}, "lam=0.2 is not read when accumulate=True"),
        ("mt_grpo", {"alpha": 0.5}, "alpha=0.5 is read only when accumulate=True"),
        ("return_to_go", {"gamma": -0.1}, "gamma=-0.1"),
        ("return_to_go", {"gamma": float("nan")}, "gamma=nan"),
        ("return_to_go", {"absent": "drop"}, "absent='drop' is not an option; choose one of 'skip', 'zero'"),
    ],
)
def test_options_that_would_be_ignored_or_are_unknown_raise(name, options, message):
    with pytest.raises(ValueError, match=message):
        resolve(name)(TurnBatch.from_ragged([[1.0]], [1.0], [0]), **options)


def test_group_normalise_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        credit.group_normalise(np.zeros(3), np.ones((3, 1), dtype=bool), np.zeros(3, dtype=np.int64))
