"""Does the lab predict training, over the cells of the evidence? One figure, fixed before: the tuned curve's area.

Axes: N estimators, W seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.compare.cells import CELLS
from benchmarks.compare.evidence_cells import title_of
from benchmarks.credit.agreement import DRAWS, FIGURES, LEAST, by_setting, results, spearman
from benchmarks.harness.tables import Value
from turnenv.exact import Floats

FIGURE = "area under the tuned curve"
Pair = tuple[Floats, Floats]
"""The lab's figure of each estimator, (N,), and what training gave it, (N, W)."""


def cells_in(folder: Path) -> list[str]:
    """The cells of the evidence whose rows a folder holds and which the lab has a setting for."""
    return [name for name, plan in CELLS.items() if plan.lab and list((folder / name).glob("rows.jsonl*"))]


def agreement_rows(lab: Path, evidence: Path, metric: str) -> list[Mapping[str, Value]]:
    """One row per cell, and one for their mean.

    Args:
        lab: folder of the command credit.
        evidence: folder of the command evidence.
        metric: what the cells recorded.

    Raises:
        ValueError: if no cell has at least five estimators that the lab measured in the cell's setting, with a seed
            that all have finished.
    """
    pairs, rows = list[Pair](), list[Mapping[str, Value]]()
    by_cell = {name: results(evidence / name, metric) for name in cells_in(evidence)}
    settings = by_setting(lab, {method: seeds for trained in by_cell.values() for method, seeds in trained.items()})
    for name, trained in by_cell.items():
        setting = str(CELLS[name].lab)
        measured = settings.get(setting, {})
        shared = sorted(set(trained) & set(measured))
        if len(shared) >= LEAST and len(trained[shared[0]]):
            lab_N = np.array([FIGURES[FIGURE](measured[each]) for each in shared])
            pair = (lab_N, np.array([trained[each] for each in shared]))
            pairs.append(pair)
            title: dict[str, Value] = {"cell": title_of(name), "lab's setting": setting, "estimators": len(shared)}
            rows.append({**title, **_interval([pair])})
    if not rows:
        raise ValueError(f"no cell of {evidence} has {LEAST} estimators that {lab} measured in its setting")
    return [*rows, {"cell": "mean over cells", "lab's setting": None, "estimators": None, **_interval(pairs)}]


def _interval(pairs: Sequence[Pair]) -> dict[str, Value]:
    """The mean over cells of Spearman's correlation, and its 95 % bootstrap interval.

    Estimators and seeds are drawn anew in each cell; a cell in whose draw all are equal is left out of that draw.
    """
    rng = np.random.default_rng(0)
    drawn = [_mean([_again(pair, rng) for pair in pairs]) for _ in range(DRAWS)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    found = _mean([_correlation(lab_N, trained_NW) for lab_N, trained_NW in pairs])
    return {"correlation": found, "low": float(low), "high": float(high)}


def _again(pair: Pair, rng: np.random.Generator) -> float:
    lab_N, trained_NW = pair
    N, W = trained_NW.shape
    estimators, seeds = rng.integers(N, size=N), rng.integers(W, size=W)
    return _correlation(lab_N[estimators], trained_NW[np.ix_(estimators, seeds)])


def _correlation(lab_N: Floats, trained_NW: Floats) -> float:
    return float(spearman(lab_N[None], trained_NW.mean(axis=1))[0])


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
