"""A user's own estimator by reference: found in a module or a file, made anew for each run, refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.methods import check_methods, parse_methods
from turnenv.credit import TurnBatch, check_estimator, grpo_or, resolve, spec_of

MINE = """
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVEL = 3.0


def flat(batch, *, level: float = 1.0):
    return level * batch.turn_mask


def narrow(batch):
    return batch.outcome_rewards


def words(batch):
    return np.full(batch.turn_mask.shape, "a")


def broken(batch):
    return batch.values[:, 0]


def noisy(batch, *, seed: int = 0):
    return np.random.default_rng(seed).random(batch.turn_mask.shape) * batch.turn_mask


@dataclass
class Counting:
    batches: int = 0

    def __call__(self, batch):
        self.batches += 1
        return self.batches * batch.turn_mask


class NeedsMore:
    def __init__(self, size):
        self.size = size

    def __call__(self, batch):
        return batch.turn_mask * self.size


class Inert:
    pass


counting = Counting()
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file `my_credit.py` in the folder that commands are given in."""
    (tmp_path / "my_credit.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "my_credit.py"


def batch() -> TurnBatch:
    return TurnBatch.from_ragged([[1.0, 0.0], [0.0]], [1.0, 0.0], [0, 0])


def test_a_function_of_a_module_or_a_file_is_found(mine: str, tmp_path: Path) -> None:
    assert resolve("turnenv.credit:grpo_or") is grpo_or
    assert resolve(f"{mine}:flat") is resolve(f"{mine}:flat")
    assert resolve(f"{tmp_path / mine}:flat")(batch(), level=2.0).tolist() == [[2.0, 2.0], [2.0, 0.0]]


def test_a_module_is_found_like_a_file(mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / mine).rename("my_credit_on_the_path.py")
    assert resolve("my_credit_on_the_path:flat")(batch()).tolist() == [[1.0, 1.0], [1.0, 0.0]]


@pytest.mark.parametrize("name", ["Counting", "counting"])
def test_what_remembers_is_made_anew_for_each_run(mine: str, name: str) -> None:
    first = check_estimator(f"{mine}:{name}", {})
    assert first(batch()).max() == 1
    assert first(batch()).max() == 2
    assert resolve(f"{mine}:{name}")(batch()).max() == 1


def test_an_estimator_that_takes_a_seed_is_known_to_draw(mine: str) -> None:
    assert spec_of(f"{mine}:noisy").seeded
    assert not spec_of(f"{mine}:flat").seeded


def test_methods_take_own_estimators_with_options(mine: str) -> None:
    methods = parse_methods(f"grpo_or,{mine}:flat:level=2,{mine}:flat,turnenv.credit:mt_grpo:final_turn=turn+outcome")
    assert [method.name for method in methods] == ["grpo_or", f"{mine}:flat", f"{mine}:flat", "turnenv.credit:mt_grpo"]
    assert methods[1].options == {"level": 2}
    assert parse_methods(",".join(method.label for method in methods)) == methods
    check_methods(methods)
    np.testing.assert_array_equal(methods[1].estimator()(batch()), 2.0 * batch().turn_mask)


@pytest.mark.parametrize(
    ("reference", "options", "says"),
    [
        ("my_credit.py:flt", {}, r"my_credit.py has no 'flt'; did you mean 'flat'\?"),
        ("my_credit.py:LEVEL", {}, "is a float; an estimator is a function of a TurnBatch"),
        ("my_credit.py:narrow", {}, r"narrow must return advantages \(B, K\): .* it returned float64 of shape \(2,\)"),
        ("my_credit.py:words", {}, "it returned <U1 of shape"),
        ("my_credit.py:broken", {}, "broken fails on a batch of two trajectories: TypeError: 'NoneType'"),
        ("my_credit.py:flat", {"lvel": 1}, "has no option 'lvel'; did you mean 'level'"),
        ("my_credit.py:NeedsMore", {}, "cannot be made without arguments: .*'size'"),
        ("my_credit.py:Inert", {}, "is a class without __call__"),
        ("my_credits.py:flat", {}, "there is no file my_credits.py; the folder is"),
        ("my_credit:flat", {}, "No module named 'my_credit'; my_credit.py is here: write my_credit.py:flat"),
        ("not_python.py:f", {}, "not_python.py cannot be run: SyntaxError"),
        ("nowhere:function", {}, "the module 'nowhere' cannot be imported: .*No module named 'nowhere'"),
        ("turnenv.credit:", {}, "turnenv.credit has no ''"),
        (":flat", {}, "the module '' cannot be imported"),
    ],
)
def test_a_mistake_names_what_is_wrong(mine: str, reference: str, options: dict[str, float], says: str) -> None:
    Path("not_python.py").write_text("def f(:\n", encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        check_estimator(reference, options)


@pytest.mark.parametrize(
    ("name", "field"),
    [("oracle", "true_advantages"), ("turn_gae", "values"), ("vine_ppo", "values"), ("tree_backup", "parents")],
)
def test_what_an_estimator_needs_and_training_lacks_is_one_sentence(name: str, field: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} needs {field} \(.*benchmarks credit --methods {name}$"):
        check_estimator(name, {})
    check_estimator(name, {}, {"state_keys", field})
