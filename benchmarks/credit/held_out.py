"""Cells that turnenv's own estimator was not developed on, and how it compares there with MT-GRPO and GRPO-OR.

Its three versions, each evaluated on cells chosen after it was final; later versions were developed on those cells too:

1. Developed on CreditChain with 4 actions (lengths 3, 4, 8 and 16), with 2 actions (lengths 6 and 8, hackable) and 16
   (8 turns, slips of 20 %). It failed on two cells of its set: trust fell too fast, and for all turns alike.
2. Trust per turn, falling more slowly. In the lab it failed on one misleading cell (6 turns, 2 actions, shuffled). On
   language models it stopped trusting right rewards (TriviaSearch), and with bait its negative trust drove two runs of
   five into nonsense.
3. The sign of the agreement counts, not its size, and trust is negative only while no episode wins. Developed on
   these two comparisons of language models and the cells of version 2; the cells here are new.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.credit.cells import Cell
from benchmarks.credit.records import Effort, LabRow
from benchmarks.credit.tuning import Tuned, ratios, tuned
from benchmarks.harness.statistics import median_interval
from benchmarks.harness.tables import markdown

OURS = "aw_grpo"
RIVALS = ("mt_grpo", "mt_grpo:accumulate=true")
"""MT-GRPO as its first version has it for each turn, and its general form for K turns (arXiv 2505.11821 v2, eq. 12)."""
TRUTH = "oracle:scale=std"
OUTCOME_ONLY = "grpo_or"
_NOTE = """\
Settings on which `aw_grpo` was not developed. Above: turn rewards that are right; episodes to the threshold, divided by
a rival's on the same seeds (median with interval; below 1 is faster), at learning rates chosen alike; * marks a ratio
of which either rate lies at the edge of the grid, "neither" that no run got there. Below: turn rewards that mislead;
success at the end of the budget, at the rate that the other seeds chose (medians). Batches of one group show finer
steps: with larger ones the easiest chains are solved in two or three updates by all methods that read turn rewards."""


def report(cells: Sequence[tuple[Cell, list[LabRow]]], effort: Effort) -> str:
    """The two tables of the suite as Markdown; empty if no cell holds our estimator."""
    trained = [
        (cell, {row.run.method.label: tuned(row.learning, effort) for row in rows if row.learning is not None})
        for cell, rows in cells
        if cell.facets.get("held_out")
    ]
    right = [_speed(cell, by) for cell, by in trained if OURS in by and cell.facets["held_out"] == "right"]
    wrong = [_safety(cell, by) for cell, by in trained if OURS in by and cell.facets["held_out"] == "wrong"]
    if not right and not wrong:
        return ""
    speed = markdown(
        [
            "right turn rewards",
            f"{OURS}: episodes",
            *(f"÷ {rival}" for rival in RIVALS),
            *(f"{TRUTH} ÷ {rival}" for rival in RIVALS),
        ],
        right,
    )
    safety = markdown(
        ["wrong turn rewards", OURS, OUTCOME_ONLY, "mt_grpo", f"{OURS} ÷ {OUTCOME_ONLY}"],
        wrong,
    )
    paid_right = [by for cell, by in trained if OURS in by and cell.facets["held_out"] == "right"]
    verdicts = [_verdict(rival, paid_right) for rival in RIVALS if any(rival in by for by in paid_right)]
    return "\n\n".join(["## Beyond MT-GRPO", _NOTE, speed, "\n".join(f"* {each}" for each in verdicts), safety])


def _speed(cell: Cell, by: dict[str, Tuned]) -> list[str]:
    mine = median_interval(by[OURS].episodes.tolist())
    row = [str(cell.facets["setting"]), _number(mine.median) + "*" * by[OURS].at_edge]
    row += [_ratio(by[OURS], by.get(rival)) for rival in RIVALS]
    return [*row, *(_ratio(by.get(TRUTH), by.get(rival)) for rival in RIVALS)]


def _ratio(mine: Tuned | None, other: Tuned | None) -> str:
    """The median of the seeds' ratios and its interval; a ratio of two runs that never got there is not shown as 1."""
    if mine is None or other is None:
        return "–"
    if np.isinf(mine.episodes).all() and np.isinf(other.episodes).all():
        return "neither"
    found = median_interval(ratios(mine.episodes, other.episodes).tolist())
    text = f"{_number(found.median, 2)} [{_number(found.low, 2)}, {_number(found.high, 2)}]"
    return text + "*" * (mine.at_edge or other.at_edge)


def _verdict(rival: str, trained: Sequence[dict[str, Tuned]]) -> str:
    """How many cells OURS wins and loses against a rival, by intervals that leave out 1."""
    pairs = [(by[OURS], by[rival]) for by in trained if rival in by]
    found = [median_interval(ratios(mine.episodes, other.episodes).tolist()) for mine, other in pairs]
    fewer, more = sum(each.high < 1.0 for each in found), sum(each.low > 1.0 for each in found)
    rest = len(found) - fewer - more
    counts = f"fewer episodes on {fewer}, more on {more}, no clear difference on {rest}"
    return f"Against `{rival}`, of {len(found)} cells: {counts}."


def _safety(cell: Cell, by: dict[str, Tuned]) -> list[str]:
    finals = [_final(by.get(name)) for name in (OURS, OUTCOME_ONLY, "mt_grpo")]
    shown = [f"{value:.3f}" if value is not None else "–" for value in finals]
    mine, theirs = finals[:2]
    quotient = f"{mine / theirs:.2f}" if mine is not None and theirs else "–"
    return [str(cell.facets["setting"]), *shown, quotient]


def _final(found: Tuned | None) -> float | None:
    return None if found is None else median_interval(found.final.tolist()).median


def _number(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else "never"
