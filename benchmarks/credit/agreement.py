"""Does the lab predict training? Rank correlation over estimators of the lab's figures with a comparison's results.

Axes: F figures of the lab, N estimators, W seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness.options import add_json
from turnenv.commands.console import did_you_mean

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
DRAWS = 2_000
LEAST = 5
_CHANCE = "p, family-wise"


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
        ValueError: if too few methods were measured in both, no seed was finished by all, or an option names nothing.
    """
    from benchmarks.credit.evidence_agreement import agreement_rows, cells_in
    from benchmarks.harness.tables import print_tables

    if cells_in(given.comparison):
        if given.setting:
            raise ValueError("--setting picks settings for one comparison; each cell of the evidence has its own")
        rows = agreement_rows(given.lab, given.comparison, given.metric)
    else:
        rows = _comparison_rows(given.lab, given.comparison, given.metric, given.setting)
    formats = {**dict.fromkeys(("correlation", "low", "high"), "+.2f"), _CHANCE: ".2f"}
    print_tables({"correlations": rows}, formats, as_json=given.json)
    return 0


def _comparison_rows(
    lab: Path, comparison: Path, metric: str, wanted: Sequence[str] | None
) -> list[Mapping[str, Value]]:
    """One row per setting of the lab and figure."""
    trained = results(comparison, metric)
    settings = by_setting(lab, trained)
    for name in wanted or ():
        if name not in settings:
            raise ValueError(f"no setting is named {name!r}; there are: {', '.join(map(repr, settings))}")
    settings = {name: settings[name] for name in wanted or settings}
    names = sorted(set(trained).intersection(*settings.values()))
    if not settings or len(names) < LEAST:
        raise ValueError(f"a rank correlation needs a setting in which {LEAST} of the methods compared were measured")
    if not len(trained[names[0]]):
        raise ValueError(f"{comparison} has no seed yet that every method has finished: give the same command again")
    where = [(setting, figure) for setting in settings for figure in FIGURES]
    lab_FN = np.array([[FIGURES[figure](settings[setting][name]) for name in names] for setting, figure in where])
    trained_NW = np.array([trained[name] for name in names])
    columns = (*correlations(lab_FN, trained_NW), chance(lab_FN, trained_NW.mean(axis=1)))
    print(
        f"Spearman's correlation with {metric}, {len(names)} estimators, {trained_NW.shape[1]} seeds.", file=sys.stderr
    )
    titles = ("correlation", "low", "high", _CHANCE)
    return [
        {"lab's setting": setting, "lab's figure": figure, **dict(zip(titles, map(float, values), strict=True))}
        for (setting, figure), *values in zip(where, *columns, strict=True)
    ]


def results(folder: Path, metric: str) -> dict[str, Floats]:
    """Method → the metric of each seed that all methods have finished, (W,), of the methods without options.

    A run whose episodes all ended in a fault has no metric, and counts as not finished.

    Raises:
        ValueError: if there are no rows, or they have no such metric.
    """
    from benchmarks.compare.records import RowFile

    rows = RowFile(folder).read()
    if not rows:
        raise ValueError(f"{folder} holds no finished run: pass the --out of compare or evidence")
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if row.run.method is not None and not row.run.method.options and row.evaluation.episodes:
            means = row.evaluation.means
            if metric not in means:
                hint = did_you_mean(metric, means) or ";"
                raise ValueError(f"no metric is named {metric!r}{hint} recorded are: {', '.join(means)}")
            found.setdefault(row.run.method.name, {})[row.run.seed] = means[metric]
    shared = sorted(set.intersection(*map(set, found.values()))) if found else []
    return {name: np.array([by_seed[seed] for seed in shared]) for name, by_seed in found.items()}


def by_setting(folder: Path, wanted: Mapping[str, Floats]) -> dict[str, dict[str, LabRow]]:
    """Setting → method → row, of settings with training where at least five of the methods were measured.

    Raises:
        ValueError: if there are no rows.
    """
    from benchmarks.credit.records import LabRows

    rows = LabRows(folder).read()
    if not rows:
        raise ValueError(f"{folder} holds no finished run: pass the --out of credit")
    found: dict[str, dict[str, LabRow]] = {}
    for row in rows:
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
    again = np.full((DRAWS, len(lab)), np.nan)
    for draw in range(DRAWS):
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
    greatest = [np.nan_to_num(np.abs(spearman(lab, rng.permutation(trained)))).max() for _ in range(DRAWS)]
    as_large_F = (np.array(greatest)[:, None] >= found_F - 1e-12).sum(axis=0)
    return np.asarray((1 + as_large_F) / (1 + DRAWS))


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
