"""Does the lab predict training? Rank correlation over estimators of the lab's figures with a comparison's results."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks.credit.one_cell import LabRows
from benchmarks.credit.records import LabRow
from benchmarks.credit.tuning import tuned
from benchmarks.rows import RowFile
from benchmarks.table import markdown
from turnenv.tabular import Floats

_DRAWS = 200


def main(arguments: Sequence[str] | None = None) -> None:
    """Read both folders and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.credit.agreement", description=__doc__)
    parser.add_argument("lab", type=Path, help="folder of python -m benchmarks credit")
    parser.add_argument("comparison", type=Path, help="folder of python -m benchmarks compare, the same estimators")
    parser.add_argument("--metric", default="return", help="what the comparison recorded (default: %(default)s)")
    given = parser.parse_args(arguments)
    trained = results(given.comparison, given.metric)
    lines = []
    for setting, rows in by_setting(given.lab, trained).items():
        figures = {name: {label: of(row) for label, row in rows.items()} for name, of in _FIGURES.items()}
        lines += [[setting, name, f"{len(rows)}", correlation(of_label, trained)] for name, of_label in figures.items()]
    print(
        f"Spearman's correlation with {given.metric}; 95 % bootstrap interval over the comparison's seeds. The "
        "estimators are held fixed, and many figures are shown: read no single one as evidence.\n"
    )
    print(markdown(["lab's setting", "lab's figure", "estimators", "correlation"], lines))


def results(folder: Path, metric: str) -> dict[str, Floats]:
    """Method → the metric of each seed, (W,), of the methods without options."""
    found: dict[str, dict[int, float]] = {}
    for row in RowFile(folder).read():
        if row.run.method is not None and not row.run.method.options:
            found.setdefault(row.run.method.name, {})[row.run.seed] = row.evaluation.means[metric]
    return {name: np.array([by_seed[seed] for seed in sorted(by_seed)]) for name, by_seed in found.items()}


def by_setting(folder: Path, wanted: Mapping[str, Floats]) -> dict[str, dict[str, LabRow]]:
    """Setting → method → row, of settings with training where at least five of the methods were measured."""
    found: dict[str, dict[str, LabRow]] = {}
    for row in LabRows(folder).read():
        method = row.run.method
        if row.learning is not None and not method.options and method.name in wanted:
            found.setdefault(str(row.run.cell.facets["setting"]), {})[method.name] = row
    return {setting: rows for setting, rows in found.items() if len(rows) >= 5}


def correlation(figure: Mapping[str, float], trained: Mapping[str, Floats]) -> str:
    """Spearman's correlation over methods, and its interval when seeds are drawn again, the same for all methods."""
    x = np.array([figure[name] for name in figure])
    y = np.array([trained[name] for name in figure])
    if np.ptp(x) == 0.0:
        return "all alike"
    rng = np.random.default_rng(0)
    draws = rng.integers(y.shape[1], size=(_DRAWS, y.shape[1]))
    again = [spearmanr(x, y[:, seeds].mean(axis=1)).statistic for seeds in draws]
    low, high = np.percentile(again, [2.5, 97.5])
    return f"{spearmanr(x, y.mean(axis=1)).statistic:+.2f} [{low:+.2f}, {high:+.2f}]"


def _speed(row: LabRow) -> float:
    assert row.learning is not None
    return -float(min(1e12, np.median(tuned(row.learning, row.run.effort).turns)))


def _area(row: LabRow) -> float:
    assert row.learning is not None
    return float(tuned(row.learning, row.run.effort).area.mean())


_FIGURES: Mapping[str, Callable[[LabRow], float]] = {
    "signal/noise": lambda row: row.figures["signal_to_noise"].value or 0.0,
    "fewer turns to solve": _speed,
    "area under the tuned curve": _area,
}


if __name__ == "__main__":
    main()
