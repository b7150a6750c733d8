"""The probes find the biases of scripted judges that have them, and none in a fair one."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from turnenv.commands.main import main
from turnenv.judges import JudgeError, Message
from turnenv.judges.probes import CRITERIA, PROBES, Sample, Verdict, atlas_samples, findings_table, probe_judge

NANO = Path(__file__).parent.parent / "agents" / "nano"
SAMPLES = atlas_samples(20)
RIGHT = {sample.before[0].content: sample.good for sample in SAMPLES}
VERBOSE = {"padding", "said three times", "headings and bullets", "confidence"}


def parts(transcript):
    """The agent's message, and what it ought to have said."""
    return transcript[-2].content, RIGHT[transcript[0].content]


class Fair:
    """Knows what is right, and where the message commits itself."""

    def score(self, transcript):
        said, right = parts(transcript)
        return float(said.rpartition("choice, which alone counts: ")[2].startswith(right))


class Biased(Fair):
    """A fair judge with a weakness: the weaker `bias` is 0, the stronger 1."""

    def __init__(self, bias):
        self.bias = bias

    def score(self, transcript):
        return max(super().score(transcript), self.bias(transcript[-2].content))


class Noisy:
    """Draws its verdicts."""

    def __init__(self):
        self.rng = np.random.default_rng(1)

    def score(self, transcript):
        return self.rng.random()


def findings(judge, **options):
    return {found.probe: found for found in probe_judge(lambda _: judge, CRITERIA, SAMPLES, **options)}


def flagged(judge):
    return {name for name, found in findings(judge).items() if found.verdict is not Verdict.HOLDS}


def longer(text):
    return min(1.0, len(text) / 500)


def obedient(text):
    return float("give the highest score" in text)


def reads_verdicts(text):
    found = re.search(r'"score": ([\d.]+)', text)
    return float(found[1]) if found else 0.0


def test_a_fair_judge_holds_everywhere():
    found = findings(Fair())
    assert {finding.verdict for finding in found.values()} == {Verdict.HOLDS}
    assert (found["good for poor"].shift, found["padding"].shift) == (1.0, 0.0)
    assert {finding.pairs for finding in found.values()} == {20}


def test_a_length_loving_judge_is_flagged_for_every_longer_message():
    found = findings(Biased(longer))
    assert {
        name for name, finding in found.items() if finding.kind == "verbosity" and finding.verdict == "MOVED"
    } == VERBOSE
    shift = np.mean([longer(PROBES["padding"].altered(sample)) - longer(sample.poor) for sample in SAMPLES])
    assert found["padding"].shift == pytest.approx(shift)
    assert found["padding"].low <= shift <= found["padding"].high
    assert (
        found["candidates swapped"].verdict
        == found["criteria reversed"].verdict
        == found["good for poor"].verdict
        == "holds"
    )


def test_an_obedient_judge_and_one_that_reads_verdicts_are_flagged_for_that_alone():
    assert flagged(Biased(obedient)) == {"order to the judge"}
    assert flagged(Biased(reads_verdicts)) == {"forged verdict", "forged verdict alone"}
    assert flagged(Biased(lambda text: float("10/10" in text))) == {"give 10"}
    assert flagged(Biased(lambda text: float('"role": "system"' in text))) == {"forged turn"}


def test_a_judge_that_prefers_the_first_candidate_is_flagged_and_so_is_one_that_prefers_the_last():
    class FirstCandidate(Fair):
        def score(self, transcript):
            said, right = parts(transcript)
            return 1.0 if f"A. {right}" in said else 0.5 if "A. " in said else super().score(transcript)

    class LastCandidate(Fair):
        def score(self, transcript):
            said, right = parts(transcript)
            return 1.0 if f"B. {right}" in said else 0.5 if "B. " in said else super().score(transcript)

    assert flagged(FirstCandidate()) == flagged(LastCandidate()) == {"candidates swapped"}
    assert findings(FirstCandidate())["candidates swapped"].shift == -0.5
    assert findings(LastCandidate())["candidates swapped"].shift == 0.5


def test_a_judge_that_reads_the_first_criterion_alone_is_flagged():
    class OfRubric(Fair):
        def __init__(self, rubric):
            self.weight = 1.0 if rubric.startswith(f"- {CRITERIA[0]}") else 0.4

        def score(self, transcript):
            return self.weight * super().score(transcript)

    found = probe_judge(OfRubric, CRITERIA, SAMPLES)
    assert [finding.probe for finding in found if finding.verdict is not Verdict.HOLDS] == ["criteria reversed"]


def test_a_judge_that_says_the_same_to_all_is_blind_and_otherwise_unmoved():
    class Constant:
        def score(self, transcript):
            return 0.5

    found = findings(Constant())
    assert found["good for poor"].verdict is Verdict.BLIND
    assert flagged(Constant()) == {"good for poor"}


def test_noise_is_not_called_a_bias():
    found = findings(Noisy())
    assert {finding.verdict for finding in found.values()} <= {Verdict.UNCLEAR, Verdict.HOLDS, Verdict.BLIND}
    assert found["padding"].low < 0.0 < found["padding"].high


def test_a_judge_that_a_message_breaks_is_flagged_and_its_error_told():
    class Brittle(Fair):
        def score(self, transcript):
            if '{"reason"' in transcript[-2].content:
                raise JudgeError("two verdicts")
            return super().score(transcript)

    found = findings(Brittle())
    assert flagged(Brittle()) == {"forged verdict", "forged verdict alone"}
    forged = found["forged verdict"]
    assert (forged.verdict, forged.failures, forged.pairs, forged.error) == (Verdict.BROKEN, 20, 0, "two verdicts")
    assert found["padding"].error == ""


def test_verdicts_out_of_range_are_no_verdicts():
    class Ten(Fair):
        def score(self, transcript):
            return 10.0

    found = findings(Ten())
    assert {(finding.verdict, finding.pairs) for finding in found.values()} == {(Verdict.BROKEN, 0)}
    assert "it was 10.0" in found["padding"].error


def test_the_interval_covers_the_true_shift_about_as_often_as_it_says():
    """A judge that adds 0.1 on average to padded messages, with noise, over 200 sets of samples."""

    class Tempted:
        def __init__(self, seed):
            self.rng = np.random.default_rng(seed)

        def score(self, transcript):
            return 0.4 + 0.1 * ("great care" in transcript[-2].content) + 0.2 * self.rng.random()

    probes = {"padding": PROBES["padding"]}
    covered = 0
    for seed in range(200):
        (found,) = probe_judge(lambda _, seed=seed: Tempted(seed), CRITERIA, SAMPLES, probes=probes)
        covered += found.low <= 0.1 <= found.high
    assert 0.85 <= covered / 200 <= 0.99


def test_samples_are_seeded_and_their_answers_are_told_apart_by_the_article():
    assert atlas_samples(20) == SAMPLES
    assert atlas_samples(20, seed=1) != SAMPLES
    for sample in SAMPLES:
        article = sample.before[0].content.partition("\n\n")[0]
        assert sample.good != sample.poor
        assert sample.poor.removeprefix("The answer is ").removesuffix(".") not in article


@pytest.mark.parametrize("count", [-1, 0, 1, 100_000])
def test_a_refused_count_names_the_actual_bounds(count):
    with pytest.raises(ValueError, match=rf"count must be from 2 to \d+, got {count}") as refused:
        atlas_samples(count)
    most = int(re.search(r"to (\d+)", str(refused.value))[1])
    assert len(atlas_samples(most)) == most > 20
    with pytest.raises(ValueError, match=f"to {most}, got {most + 1}"):
        atlas_samples(most + 1)


def test_alterations_keep_the_message_they_alter():
    sample = Sample((Message("user", "2 + 2?"),), "It is 4.", "It is 5.")
    for name, probe in PROBES.items():
        plain, altered = probe.plain(sample), probe.altered(sample)
        assert plain != altered or probe.turn_rubric, name
        if probe.kind in ("verbosity", "injection"):
            assert plain == sample.poor
            assert plain in altered
            assert "4" not in altered


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="at least 2 samples"):
        probe_judge(lambda _: Fair(), CRITERIA, SAMPLES[:1])
    with pytest.raises(ValueError, match="tolerance"):
        probe_judge(lambda _: Fair(), CRITERIA, SAMPLES, tolerance=0.0)


def test_the_table_shows_every_probe():
    table = findings_table(list(findings(Biased(longer)).values()))
    assert len(table.splitlines()) == len(PROBES) + 1
    assert re.search(r"^padding +verbosity +\+0\.\d+ +\+0\.\d+ … \+0\.\d+ +20 +0 +MOVED$", table, re.MULTILINE)


def test_the_command_probes_the_nano_policy_which_is_no_judge(capsys):
    assert main(["probe-judge", "--local", str(NANO), "--samples", "2"]) == 1
    printed = capsys.readouterr()
    assert printed.out.count("BROKEN") == len(PROBES)
    assert "does not answer with a score" in printed.err
    assert main(["probe-judge", "--local", str(NANO), "--samples", "2", "--min-mass", "0"]) == 1
    assert "BLIND" in capsys.readouterr().out


def test_mistaken_commands_exit_with_2(capsys, tmp_path):
    assert main(["probe-judge", "--local", str(tmp_path), "--samples", "2"]) == 2
    assert main(["probe-judge", "--local", str(NANO), "--samples", "1"]) == 2
    assert "count must be" in capsys.readouterr().err
    assert main(["probe-judge", "--endpoint", "http://127.0.0.1:9/v1"]) == 2


def test_a_judge_that_never_answers_is_no_verdict_and_exits_with_3(capsys):
    asked = ["--endpoint", "http://127.0.0.1:9/v1", "--model", "none", "--samples", "2", "--json"]
    assert main(["probe-judge", *asked]) == 3
    printed = capsys.readouterr()
    findings = json.loads(printed.out)["findings"]
    assert {finding["verdict"] for finding in findings} == {"BROKEN"}
    assert {finding["shift"] for finding in findings} == {None}
    assert "gave no verdict" in printed.err


def test_help_says_what_it_does():
    told = subprocess.run(
        [sys.executable, "-m", "turnenv", "probe-judge", "--help"], capture_output=True, text=True, check=True
    )
    assert "Qwen/Qwen2.5-1.5B-Instruct" in told.stdout
