"""What the probes found: mean shifts of a judge's score with their intervals, and a verdict on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from turnenv.judges.endpoint import Judge, JudgeError, Message
from turnenv.judges.probes.alterations import PROBES, Probe, Sample

_RESAMPLES = 10_000


class Verdict(StrEnum):
    """What a probe says about a judge."""

    HOLDS = "holds"
    """No shift beyond the tolerance is compatible with the samples."""
    MOVED = "MOVED"
    """The score moves by more than the tolerance."""
    BLIND = "BLIND"
    """The judge does not score good messages above poor ones, so the other probes mean nothing."""
    BROKEN = "BROKEN"
    """The altered messages, or all, get no verdict: an agent can end its episode in a fault."""
    UNCLEAR = "unclear"
    """More samples are needed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found.

    Attributes:
        probe: its name.
        kind: its kind; see `Probe`.
        shift: mean score of the altered messages minus that of the plain ones, from -1 to 1; NaN without a pair.
        low: lower end of the shift's interval.
        high: upper end.
        pairs: how many pairs got both scores.
        failures: how many altered messages got no verdict though the plain ones did.
        verdict: what that says.
        error: the message of the judge's first failure; "" if there was none.
    """

    probe: str
    kind: str
    shift: float
    low: float
    high: float
    pairs: int
    failures: int
    verdict: Verdict
    error: str = ""


def probe_judge(
    make_judge: Callable[[str], Judge],
    criteria: Sequence[str],
    samples: Sequence[Sample],
    *,
    probes: Mapping[str, Probe] = PROBES,
    tolerance: float = 0.05,
    confidence: float = 0.95,
) -> tuple[Finding, ...]:
    """Measure how a judge's score moves when a message changes in ways that should not matter.

    Each probe compares paired scores; the interval of the mean shift is a percentile bootstrap over the samples, not
    corrected for the number of probes.

    Args:
        make_judge: from a rubric to the judge; called twice, with the criteria one per line, in both orders.
        criteria: the rubric's lines.
        samples: the turns, at least 2.
        probes: by name.
        tolerance: the largest shift that is accepted, in units of the score (0…1).
        confidence: of the intervals.

    Returns:
        One finding per probe.

    Raises:
        ValueError: if there are fewer than 2 samples, or `tolerance` or `confidence` is not between 0 and 1.
    """
    if len(samples) < 2 or not 0.0 < tolerance < 1.0 or not 0.0 < confidence < 1.0:
        raise ValueError("give at least 2 samples, and a tolerance and a confidence between 0 and 1")
    judges = {turned: _Asked(make_judge(_rubric(criteria, turned))) for turned in (False, True)}
    found = []
    for name, probe in probes.items():
        plain = np.array([judges[False].score(sample.transcript(probe.plain(sample))) for sample in samples])
        altered = np.array(
            [judges[probe.turn_rubric].score(sample.transcript(probe.altered(sample))) for sample in samples]
        )
        shifts = altered - plain
        failures = int(np.sum(np.isnan(altered) & ~np.isnan(plain)))
        shift, low, high = _interval(shifts[~np.isnan(shifts)], confidence)
        verdict = _verdict(probe.kind, low, high, failures, tolerance)
        pairs = int(np.sum(~np.isnan(shifts)))
        error = judges[probe.turn_rubric].error if failures or not pairs else ""
        found.append(Finding(name, probe.kind, shift, low, high, pairs, failures, verdict, error))
    return tuple(found)


class _Asked:
    """A judge that is asked once per conversation; NaN where it fails or its verdict is not in 0…1."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self.error = judge, ""
        self._known: dict[tuple[Message, ...], float] = {}

    def score(self, transcript: tuple[Message, ...]) -> float:
        if transcript not in self._known:
            self._known[transcript] = self._ask(transcript)
        return self._known[transcript]

    def _ask(self, transcript: tuple[Message, ...]) -> float:
        try:
            score = float(self._judge.score(transcript))
        except JudgeError as error:
            self.error = self.error or str(error)
            return float("nan")
        if 0.0 <= score <= 1.0:
            return score
        self.error = self.error or f"a verdict must be in 0…1, it was {score}"
        return float("nan")


def _rubric(criteria: Sequence[str], turned: bool) -> str:
    return "\n".join(f"- {line}" for line in (reversed(criteria) if turned else criteria))


def _interval(shifts: NDArray[np.float64], confidence: float) -> tuple[float, float, float]:
    """Mean and percentile bootstrap interval; NaN without a shift."""
    if not len(shifts):
        return (float("nan"),) * 3
    chosen = np.random.default_rng(0).integers(len(shifts), size=(_RESAMPLES, len(shifts)))
    low, high = np.quantile(shifts[chosen].mean(axis=1), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(shifts.mean()), float(low), float(high)


def _verdict(kind: str, low: float, high: float, failures: int, tolerance: float) -> Verdict:
    if failures or np.isnan(low):
        return Verdict.BROKEN
    if kind == "sense":
        return Verdict.HOLDS if low > tolerance else Verdict.UNCLEAR if high > tolerance else Verdict.BLIND
    if low > tolerance or (kind == "position" and high < -tolerance):
        return Verdict.MOVED
    if high <= tolerance and (kind != "position" or low >= -tolerance):
        return Verdict.HOLDS
    return Verdict.UNCLEAR


def findings_table(findings: Sequence[Finding]) -> str:
    """The findings as a table in plain text."""
    rows = [("probe", "kind", "shift", "interval", "pairs", "failed", "verdict")]
    for finding in findings:
        numbers = (f"{finding.shift:+.3f}", f"{finding.low:+.3f} … {finding.high:+.3f}") if finding.pairs else ("", "")
        rows.append(
            (finding.probe, finding.kind, *numbers, str(finding.pairs), str(finding.failures), finding.verdict.value)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
