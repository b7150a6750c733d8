"""The table of estimators in the documentation, made from what is declared of each."""

from __future__ import annotations

from pathlib import Path

import turnenv.credit
from turnenv.credit import SPECS, EstimatorSpec

PAGE = Path(turnenv.credit.__file__).parents[1] / "training" / "README.md"
BEGIN, END = "<!-- estimators: made by `python -m benchmarks pages` -->", "<!-- end of estimators -->"
_HEADER = "| `credit` | advantage of turn k of trajectory i | needs | source |\n|---|---|---|---|\n"


def with_table(text: str) -> str:
    """A page with the table between its two marks made anew.

    Raises:
        ValueError: if a mark is missing.
    """
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"the table of estimators stands between {BEGIN} and {END}; one of them is missing")
    return f"{before}{BEGIN}\n{_HEADER}{''.join(map(_line, SPECS.values()))}{END}{after}"


def _line(spec: EstimatorSpec) -> str:
    needs = ", ".join(f"`{name}`" for name in sorted(spec.needs))
    return f"| `{spec.name}` | {spec.formula} | {needs} | {spec.paper} |\n"
