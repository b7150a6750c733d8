"""Each method's learning rate by one rule: the best of a few on validation tasks, from seeds that are not reported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.compare.records import Row, RowFile, Run, Settings
from benchmarks.compare.suites import Suite
from benchmarks.harness.methods import Method, own_code
from benchmarks.harness.options import parse_seeds


def rates_folder(folder: Path) -> Path:
    """Where the runs are kept that learning rates are chosen by."""
    return folder / "rates"


def read_rates(text: str) -> tuple[float, ...]:
    """`5e-4,1e-3` → both; nothing → none.

    Raises:
        ValueError: if one is not a positive number, or is named twice.
    """
    try:
        rates = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        rates = (0.0,)
    if any(not 0.0 < rate < float("inf") for rate in rates) or len(set(rates)) < len(rates):
        raise ValueError(f"--rates takes different learning rates above 0, such as 5e-4,1e-3,2e-3; got {text!r}")
    return rates


def read_rate_seeds(text: str, reported: Collection[int]) -> tuple[int, ...]:
    """The seeds that rates are chosen by.

    Raises:
        ValueError: if one of them is also reported.
    """
    seeds = parse_seeds(text)
    if both := sorted(set(seeds) & set(reported)):
        raise ValueError(f"--rate-seeds: {both} are reported as well; rates are chosen by other seeds, such as 1000,")
    return seeds


def plan_rates(
    settings: Settings, methods: Sequence[Method], rates: Sequence[float], seeds: Sequence[int]
) -> list[Run]:
    """Every method at every rate, evaluated on validation tasks."""
    return [
        Run(settings=settings, method=method, seed=seed, code=own_code(method), learning_rate=rate)
        for seed in seeds
        for method in methods
        for rate in rates
    ]


def adopt_rates(folder: Path, other: Path, methods: Sequence[Method]) -> dict[str, float]:
    """The rates that another comparison chose for some methods; the rows that they were chosen by come along.

    Args:
        folder: of this comparison.
        other: of the comparison that tried the rates.
        methods: each must have been tried there.

    Raises:
        ValueError: if one was not, or if this comparison's rates came from somewhere else.
    """
    wanted = {method.label for method in methods}
    rows = [row for row in RowFile(rates_folder(other)).read() if row.run.method and row.run.method.label in wanted]
    found = chosen_rates(rows)
    if missing := sorted(wanted - found.keys()):
        raise ValueError(f"--rates-from: {other} chose no learning rate for {', '.join(missing)}")
    own = RowFile(rates_folder(folder))
    kept = [row for row in own.read() if row.run.method and row.run.method.label in wanted]
    if {row.run_id for row in kept} - {row.run_id for row in rows}:
        raise ValueError(f"--rates-from: the learning rates in {folder} were not chosen in {other}; give another --out")
    for row in rows:
        own.append(row)
    return found


def validation_settings(settings: Settings, suite: Suite) -> Settings:
    """The settings with the suite's validation tasks in place of the held-out ones."""
    return settings.model_copy(update={"eval_kwargs": {**settings.eval_kwargs, **suite.validation_kwargs}})


def success_by_rate(rows: Iterable[Row]) -> dict[str, dict[float, float]]:
    """Method label → rate → mean success (0 to 1) over the seeds; 0 for a run whose episodes all faulted."""
    found: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        if row.run.method is not None:
            by_rate = found.setdefault(row.run.method.label, {})
            by_rate.setdefault(row.run.rate, []).append(row.evaluation.means.get("success", 0.0))
    return {label: {rate: fmean(values) for rate, values in by.items()} for label, by in found.items()}


def chosen_rates(rows: Iterable[Row]) -> dict[str, float]:
    """Method label → the rate with the greatest success; of equal ones the smallest."""

    def best(by_rate: Mapping[float, float]) -> float:
        return min(by_rate, key=lambda rate: (-by_rate[rate], rate))

    return {label: best(by_rate) for label, by_rate in success_by_rate(rows).items()}
