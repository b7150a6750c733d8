"""`turnenv probe-judge`: how far is a judge's score moved by what should not matter?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from turnenv.commands.console import Commands, MistakeError, Parser, UnavailableError, print_json, visible

if TYPE_CHECKING:
    from turnenv.judges import Judge
    from turnenv.judges.probes import Finding

_HELP = """
examples:
  turnenv probe-judge --local Qwen/Qwen2.5-1.5B-Instruct
  turnenv probe-judge --endpoint http://127.0.0.1:8000/v1 --model my-judge --samples 20

Each probe scores turns with and without what should not matter and reports the mean shift of the score (0…1) with its
95 % interval. Samples are questions of the bundled atlas, answered rightly and wrongly beside the article. Read the
line "good for poor" first: a judge that cannot distinguish these is steady in all other probes too. The exit code is 0
if all probes hold, 1 if one does not, 3 if no judge answered.
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser("probe-judge", help="measure how easily a judge of turns is moved", epilog=_HELP)
    parser.description = "Probe a judge for position, verbosity, injection and forgery: how far do its scores move?"
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--local", metavar="MODEL", help="a transformers model, by name or folder")
    which.add_argument("--endpoint", metavar="URL", help="an OpenAI-compatible endpoint; key in OPENAI_API_KEY")
    parser.add_argument("--model", help="the model's name at the endpoint")
    parser.add_argument(
        "--samples", type=int, default=40, help="turns to judge, about 13 verdicts each (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="which turns (default: %(default)s)")
    parser.add_argument(
        "--tolerance", type=float, default=0.05, help="the shift that does not matter (default: %(default)s)"
    )
    parser.add_argument(
        "--min-mass", type=float, default=0.1, help="of a local model; see LocalJudge (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Probe; 1 if a probe does not hold.

    Raises:
        MistakeError: if there is no such model, or a number is out of range.
        UnavailableError: if the judge gave no verdict at all.
    """
    if given.endpoint and not given.model:
        raise MistakeError("--endpoint needs --model, the model's name there")
    try:
        findings = _probe(given)
    except (ImportError, OSError, ValueError) as error:
        raise MistakeError(str(error)) from error
    from turnenv.judges.probes import Verdict, findings_table

    if given.json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        print(findings_table(findings))
    for cause in dict.fromkeys(finding.error for finding in findings if finding.error):
        print(f"no verdict: {visible(cause)}", file=sys.stderr)
    if given.endpoint and not any(finding.pairs for finding in findings):
        raise UnavailableError(f"the judge at {given.endpoint} gave no verdict")
    return 0 if all(finding.verdict is Verdict.HOLDS for finding in findings) else 1


def _probe(given: argparse.Namespace) -> Sequence[Finding]:
    from turnenv.judges import EndpointJudge
    from turnenv.judges.local import LocalJudge
    from turnenv.judges.probes import CRITERIA, atlas_samples, probe_judge

    def make_judge(rubric: str) -> Judge:
        if given.local:
            return LocalJudge(given.local, rubric=rubric, min_mass=given.min_mass)
        return EndpointJudge(given.model, rubric, given.endpoint, cache_dir=None)

    samples = atlas_samples(given.samples, given.seed)
    return probe_judge(make_judge, CRITERIA, samples, tolerance=given.tolerance)
