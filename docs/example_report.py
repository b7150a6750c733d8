"""The example report of the site: the published rows of the weak start, with whole groups of three of its runs.

`python docs/example_report.py DIR` picks the groups anew from DIR, the folder of that comparison.
"""

import gzip
import sys
import tempfile
from pathlib import Path

from benchmarks.compare.comparison import Comparison
from benchmarks.compare.html_report import write_html
from benchmarks.compare.one_run import groups_path
from benchmarks.compare.rates import rates_folder
from benchmarks.compare.records import RowFile
from benchmarks.compare.suites import suite_of

ROWS = Path(__file__).parents[1] / "benchmarks" / "published" / "evidence" / "weak"
GROUPS = Path(__file__).parent / "example" / "groups.jsonl.gz"
PAGE = "example-report.html"
_METHODS, _SEED = ("grpo_or", "grpo_mr", "mt_grpo"), 0


def write_example(site: Path) -> None:
    """Write the page into the folder of the built site; nothing is fetched or played."""
    rows = RowFile(ROWS).read()
    comparison = Comparison.of(rows, suite_of(rows[0].run.settings.env), RowFile(rates_folder(ROWS)).read())
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        lines = gzip.decompress(GROUPS.read_bytes()).decode().splitlines(keepends=True)
        for row in _shown(rows):
            path = groups_path(folder, row.run_id)
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(line for line in lines if f'"run": "{row.run_id}"' in line[:200]), encoding="utf-8")
        (site / PAGE).write_bytes(write_html(comparison, folder)[0].read_bytes())


def pick_groups(results: Path) -> None:
    """Keep the recorded groups of one seed of each method."""
    texts = [groups_path(results, row.run_id).read_bytes() for row in _shown(RowFile(ROWS).read())]
    GROUPS.parent.mkdir(exist_ok=True)
    GROUPS.write_bytes(gzip.compress(b"".join(texts), 9, mtime=0))
    print(f"{GROUPS}: {GROUPS.stat().st_size:,} bytes")


def _shown(rows):
    return [row for row in rows if row.run.method and row.run.method.label in _METHODS and row.run.seed == _SEED]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pick_groups(Path(sys.argv[1]))
