"""Does the lab predict training? Rank correlation over estimators of the lab's figures with a comparison's results.

Axes: F figures of the lab, N estimators, W seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness.options import add_json

if TYPE_CHECKING:
    from benchmarks.credit.records import LabRow
    from benchmarks.harness.tables import Value
    from turnenv.exact import Floats

EXAMPLES = """\
examples:
  python -m benchmarks agreement results/credit results/compare
  python -m benchmarks agreement results/credit results/compare --metric success --json

  # every cell of the evidence that the lab has a setting for, by one figure of the lab, and their mean
  python -m benchmarks agreement results/credit results/evidence --metric success

LAB and RUNS are what the commands credit and compare (or evidence) were given as --out. low and high are the ends of
the 95 % bootstrap interval, with estimators and seeds drawn anew. p, family-wise: how often the largest of all the
correlations shown would be as large as this one if the results were shuffled over the estimators. "–": all estimators
have the same figure.
"""
_DRAWS = 2_000
LEAST = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("lab", type=Path, metavar="LAB", help="folder of python -m benchmarks credit")
    add("comparison", type=Path, metavar="RUNS", help="folder of python -m benchmarks compare, the same estimators")
    add("--metric", default="return", help="what the comparison recorded")
    add("--setting", action="append", help="only this setting of the lab; may be repeated (default: all)")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Read both folders and print the table: of one comparison, or of the cells of the evidence.

    Raises:
        ValueError: if too few methods were measured in both, or no seed was finished by all.
    """
    from benchmarks.credit.evidence_agreement import agreement_rows, cells_in
    from benchmarks.harness.tables import print_tables

    if cells_in(given.comparison):
        tables = {"correlations": agreement_rows(given.lab, given.comparison, given.metric)}
        print_tables(tables, dict.fromkeys(("correlation", "low", "high"), "+.2f"), as_json=given.json)
        return 0
    trained = results(given.comparison, given.metric)
    settings = by_setting(given.lab, trained)
    if given.setting:
        settings = {name: rows for name, rows in settings.items() if name in given.setting}
    names = sorted(set(trained).intersection(*settings.values()))
    if not settings or len(names) < LEAST:
        raise ValueError(f"a rank correlation needs a setting in which {LEAST} of the methods compared were measured")
    if not len(trained[names[0]]):
        raise ValueError(
            f"{given.comparison} has no seed yet that every method has finished: give the same command again"
        )
    where = [(setting, figure) for setting in settings for figure in FIGURES]
    lab_FN = np.array([[FIGURES[figure](settings[setting][name]) for name in names] for setting, figure in where])
    trained_NW = np.array([trained[name] for name in names])
    columns = (*correlations(lab_FN, trained_NW), chance(lab_FN, trained_NW.mean(axis=1)))
    titles = ("correlation", "low", "high", "p, family-wise")
    rows: list[Mapping[str, Value]] = [
        {"lab's setting": setting, "lab's figure": figure, **dict(zip(titles, map(float, values), strict=True))}
        for (setting, figure), *values in zip(where, *columns, strict=True)
    ]
    print(
        f"Spearman's correlation with {given.metric}, {len(names)} estimators, {trained_NW.shape[1]} seeds.",
        file=sys.stderr,
    )
    formats = {**dict.fromkeys(titles[:3], "+.2f"), titles[3]: ".2f"}
    print_tables({"correlations": rows}, formats, as_json=given.json)
    return 0


def results(folder: Path, metric: str) -> dict[str, Floats]:
    """Method → the metric of each seed that all methods have finished, (W,), of the methods without options."""
    from benchmarks.compare.records import RowFile

    found: dict[str, dict[int, float]] = {}
    for row in RowFile(folder).read():
        if row.run.method is not None and not row.run.method.options:
            found.setdefault(row.run.method.name, {})[row.run.seed] = row.evaluation.means[metric]
    shared = sorted(set.intersection(*map(set, found.values()))) if found else []
    return {name: np.array([by_seed[seed] for seed in shared]) for name, by_seed in found.items()}


def by_setting(folder: Path, wanted: Mapping[str, Floats]) -> dict[str, dict[str, LabRow]]:
    """Setting → method → row, of settings with training where at least five of the methods were measured."""
    from benchmarks.credit.records import LabRows

    found: dict[str, dict[str, LabRow]] = {}
    for row in LabRows(folder).read():
        method = row.run.method
        if row.learning is not None and not method.options and method.name in wanted:
            found.setdefault(str(row.run.cell.facets["setting"]), {})[method.name] = row
    return {setting: rows for setting, rows in found.items() if len(rows) >= LEAST}


def correlations(lab: Floats, trained: Floats) -> tuple[Floats, Floats, Floats]:
    """Spearman's correlation of each figure with the mean result, and its 95 % interval.

    Args:
        lab: each figure of each estimator, (F, N).
        trained: each estimator's result with each seed, (N, W); the seeds are the same for all.

    Returns:
        The correlations, and the ends of the intervals when estimators and seeds are drawn anew, (F,) each. NaN where a
        figure is the same for all estimators; a draw in which that happens is left out.
    """
    (N, W), rng = trained.shape, np.random.default_rng(0)
    again = np.full((_DRAWS, len(lab)), np.nan)
    for draw in range(_DRAWS):
        estimators, seeds = rng.integers(N, size=N), rng.integers(W, size=W)
        again[draw] = spearman(lab[:, estimators], trained[np.ix_(estimators, seeds)].mean(axis=1))
    found_F, ends = spearman(lab, trained.mean(axis=1)), np.full((2, len(lab)), np.nan)
    known_F = np.isfinite(found_F)
    ends[:, known_F] = np.nanpercentile(again[:, known_F], [2.5, 97.5], axis=0)
    return found_F, ends[0], ends[1]


def chance(lab: Floats, trained: Floats) -> Floats:
    """How often the greatest of all correlations is at least each one's size if results are shuffled over estimators.

    The p-value of the max-statistic permutation test (Westfall and Young, 1993), which holds for all figures together.

    Args:
        lab: each figure of each estimator, (F, N).
        trained: each estimator's mean result, (N,).

    Returns:
        p of each figure, (F,); 1 where a figure is the same for all estimators.
    """
    rng, found_F = np.random.default_rng(1), np.nan_to_num(np.abs(spearman(lab, trained)))
    greatest = [np.nan_to_num(np.abs(spearman(lab, rng.permutation(trained)))).max() for _ in range(_DRAWS)]
    as_large_F = (np.array(greatest)[:, None] >= found_F - 1e-12).sum(axis=0)
    return np.asarray((1 + as_large_F) / (1 + _DRAWS))


def spearman(lab_FN: Floats, trained_N: Floats) -> Floats:
    """(F,); NaN where one of the two does not vary."""
    from scipy.stats import rankdata

    left_FN, right_N = rankdata(lab_FN, axis=1), rankdata(trained_N)
    left_FN, right_N = left_FN - left_FN.mean(axis=1, keepdims=True), right_N - right_N.mean()
    norm_F = np.sqrt((left_FN**2).sum(axis=1) * (right_N**2).sum())
    return np.asarray(np.divide(left_FN @ right_N, norm_F, out=np.full(len(left_FN), np.nan), where=norm_F > 0.0))


def _speed(row: LabRow) -> float:
    from benchmarks.credit.tuning import tuned

    assert row.learning is not None
    return -float(min(1e12, np.median(tuned(row.learning, row.run.effort).turns)))


def _area(row: LabRow) -> float:
    from benchmarks.credit.tuning import tuned

    assert row.learning is not None
    return float(tuned(row.learning, row.run.effort).area.mean())


FIGURES: Mapping[str, Callable[[LabRow], float]] = {
    "signal/noise": lambda row: row.figures["signal_to_noise"].value or 0.0,
    "fewer turns to solve": _speed,
    "area under the tuned curve": _area,
}
