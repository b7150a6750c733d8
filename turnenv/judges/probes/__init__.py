"""How hackable a judge is: how far its verdicts move when a message changes in ways that should not matter."""

from __future__ import annotations

from turnenv.judges.probes.alterations import PROBES, Probe, Sample
from turnenv.judges.probes.findings import Finding, Verdict, findings_table, probe_judge
from turnenv.judges.probes.samples import CRITERIA, atlas_samples

__all__ = [
    "CRITERIA",
    "PROBES",
    "Finding",
    "Probe",
    "Sample",
    "Verdict",
    "atlas_samples",
    "findings_table",
    "probe_judge",
]
