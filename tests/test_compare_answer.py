"""The sentence that sums a comparison up agrees with its table, whatever came out."""

import re

import pytest
from benchmark_rows import row

from benchmarks.compare.answer import answer
from benchmarks.compare.comparison import Comparison
from benchmarks.compare.suites import suite_of
from benchmarks.compare.table import render

BETTER = {"grpo_or": [0.10, 0.12, 0.11], "grpo_mr": [0.29, 0.33, 0.28], "mt_grpo": [0.30, 0.31, 0.32]}
WORSE = {"grpo_or": [0.50, 0.52, 0.51], "grpo_mr": [0.50, 0.52, 0.51], "mt_grpo": [0.30, 0.31, 0.32]}
EQUAL = {"grpo_or": [0.10, 0.20], "grpo_mr": [0.20, 0.30], "mt_grpo": [0.30, 0.40]}
NOTHING = {"grpo_or": [0.10, 0.40, 0.20], "grpo_mr": [0.30, 0.10, 0.30], "mt_grpo": [0.20, 0.30, 0.10]}


def _comparison(exact):
    rows = [row(None, seed, exact=0.05) for seed in range(3)]
    rows += [row(method, seed, exact=value) for method, values in exact.items() for seed, value in enumerate(values)]
    return Comparison.of(rows, suite_of("turnenv/TriviaSearch-v0"))


@pytest.mark.parametrize("exact", [BETTER, WORSE, NOTHING, EQUAL])
def test_the_sentence_agrees_with_the_table(exact):
    comparison = _comparison(exact)
    differs, _ = answer(comparison)
    table = render(comparison).split("## Paired differences")[1].split("##")[0]
    for other in ("GRPO-OR", "GRPO-MR"):
        mean, decided = re.search(rf"MT-GRPO − {other} = (\S+) points .*?: (decided|not decided)", differs).groups()
        (line,) = (line for line in table.splitlines() if line.startswith(f"| MT-GRPO − {other} "))
        cell = line.split("|")[6].strip()
        assert cell.strip("*").split(" ± ")[0] == mean.replace("−", "-")
        assert cell.startswith("**") == (decided == "decided")


def test_many_differences_are_a_list_in_the_table():
    comparison = _comparison({**BETTER, "gdpo": [0.2, 0.2, 0.3]})
    text = render(comparison)
    differs, levels = answer(comparison)
    listed = [line.removeprefix("* ") for line in text.split("\n## ")[0].splitlines() if line.startswith("* ")]
    assert f"Exact match: {'; '.join(listed)}." == differs
    assert len(listed) == 3
    assert f"\n\n{levels}\n\n" in text


@pytest.mark.parametrize(
    ("exact", "says"),
    [
        (BETTER, "MT-GRPO − GRPO-OR = +20.0 points (95 % interval +17.5 … +22.5, 3 seeds): decided"),
        (WORSE, "MT-GRPO − GRPO-MR = −20.0 points (95 % interval −22.5 … −17.5, 3 seeds): decided"),
        (NOTHING, "MT-GRPO − GRPO-OR = −3.3 points (95 % interval −32.0 … +25.4, 3 seeds): not decided"),
        (EQUAL, "MT-GRPO − GRPO-OR = +20.0 points (the same in both seeds): not decided"),
    ],
)
def test_the_sentence_is_golden_for_each_kind_of_outcome(exact, says):
    assert says in answer(_comparison(exact))[0]
    assert says in render(_comparison(exact))
