"""The rank correlation between the lab's figures and a comparison's results."""

import re
from argparse import Namespace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from benchmark_rows import row
from scipy.stats import spearmanr

from benchmarks.compare.records import RowFile
from benchmarks.credit.agreement import FIGURES, by_setting, chance, correlations, results, run
from benchmarks.credit.evidence_agreement import FIGURE, agreement_rows
from benchmarks.credit.records import LabRows

TRAINED = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.9], [1.0, 1.1]])


def test_equal_orders_agree_opposite_ones_do_not_and_one_without_order_says_nothing():
    lab = np.array([[1.0, 2.0, 30.0, 31.0], [4.0, 3.0, 2.0, 1.0], [5.0, 5.0, 5.0, 5.0]])
    found, low, high = correlations(lab, TRAINED)
    assert found == pytest.approx([1.0, -1.0, np.nan], nan_ok=True)
    assert low == pytest.approx([1.0, -1.0, np.nan], nan_ok=True)
    assert high == pytest.approx([1.0, -1.0, np.nan], nan_ok=True)


def test_it_is_spearmans_with_ties():
    rng = np.random.default_rng(0)
    lab, trained = rng.integers(4, size=(3, 9)).astype(float), rng.integers(3, size=(9, 2)).astype(float)
    known = [spearmanr(row, trained.mean(axis=1)).statistic for row in lab]
    assert correlations(lab, trained)[0] == pytest.approx(known)


def test_the_interval_widens_when_estimators_are_few():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    lab, trained = truth[None] + rng.normal(size=60), (truth + rng.normal(size=60))[:, None] + rng.normal(size=(60, 4))
    widths = [np.ptp(correlations(lab[:, :n], trained[:n])[1:], axis=0)[0] for n in (8, 60)]
    assert widths[0] > 1.5 * widths[1]


def test_chance_is_the_share_of_all_orders_that_agree_as_well():
    lab, trained = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([1.0, 2.0, 4.0, 3.0])
    found = abs(spearmanr(lab[0], trained).statistic)
    share = np.mean([abs(spearmanr(lab[0], order).statistic) >= found - 1e-12 for order in permutations(trained)])
    assert chance(lab, trained)[0] == pytest.approx(share, abs=0.03)


def test_one_figure_of_many_is_less_of_a_surprise():
    rng = np.random.default_rng(3)
    trained = rng.normal(size=10)
    alone = np.sort(trained)[None][:, np.argsort(np.argsort(trained + 0.6 * rng.normal(size=10)))]
    among = np.concatenate([alone, rng.normal(size=(50, 10))])
    assert chance(among, trained)[0] > chance(alone, trained)[0]


def test_only_seeds_that_every_method_has_finished_are_compared(tmp_path):
    for method, seed, exact in (("grpo_or", 0, 0.1), ("grpo_or", 1, 0.2), ("mt_grpo", 1, 0.3), (None, 0, 0.9)):
        RowFile(tmp_path).append(row(method, seed, exact=exact))
    found = results(tmp_path, "success")
    assert {name: values.tolist() for name, values in found.items()} == {"grpo_or": [0.2], "mt_grpo": [0.3]}


def test_the_published_cells_are_correlated_one_by_one():
    published = Path(__file__).parent.parent / "benchmarks" / "published"
    *cells, mean = agreement_rows(published / "lab", published / "evidence", "success")
    (knowing,) = (found for found in cells if found["cell"] == "TriviaSearch, 2 turns, knowing")
    trained = results(published / "evidence" / "knowing", "success")
    lab = by_setting(published / "lab", trained)["2 turns"]
    names = sorted(lab)
    known = spearmanr([FIGURES[FIGURE](lab[name]) for name in names], [trained[name].mean() for name in names])
    assert knowing["correlation"] == pytest.approx(known.statistic)
    assert knowing["low"] <= knowing["correlation"] <= knowing["high"]
    assert mean["correlation"] == pytest.approx(np.mean([found["correlation"] for found in cells]))


def test_an_estimator_that_the_lab_did_not_measure_leaves_too_few(tmp_path):
    published = Path(__file__).parent.parent / "benchmarks" / "published"
    for found in LabRows(published / "lab").read():
        if found.run.cell.facets["setting"] == "2 turns" and found.run.method.name in ("grpo_or", "grpo_mr", "gdpo"):
            LabRows(tmp_path).append(found)
    with pytest.raises(ValueError, match=r"no cell of .* has 5 estimators"):
        agreement_rows(tmp_path, published / "evidence", "success")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"metric": "succeed"},
            "no metric is named 'succeed'; did you mean success? recorded are: return, turn_reward",
        ),
        ({"cell": "weak", "metric": "nothing"}, "no metric is named 'nothing'; recorded are: return"),
        (
            {"setting": ["2 turns"]},
            "--setting picks settings for one comparison; each cell of the evidence has its own",
        ),
        ({"cell": "chain-weak", "setting": ["9 turns"]}, "no setting is named '9 turns'; there are: '16 turns', "),
        ({"cell": "nowhere"}, "nowhere holds no finished run: pass the --out of compare or evidence"),
        ({"cell": "weak", "lab": Path("nowhere")}, "nowhere holds no finished run: pass the --out of credit"),
        ({"lab": Path("nowhere")}, "nowhere holds no finished run: pass the --out of credit"),
    ],
)
def test_a_mistake_is_named(given, says):
    published = Path(__file__).parent.parent / "benchmarks" / "published"
    comparison = published / "evidence" / given.pop("cell", "")
    folders = {"lab": published / "lab", "comparison": comparison}
    with pytest.raises(ValueError, match=re.escape(says)):
        run(Namespace(**{**folders, "metric": "success", "setting": None, "json": False, **given}))


def test_a_cell_that_has_no_seed_of_every_method_yet_is_left_out(tmp_path):
    published = Path(__file__).parent.parent / "benchmarks" / "published"
    for cell in ("skilled", "knowing"):
        for found in RowFile(published / "evidence" / cell).read():
            # From the skilled start one method has finished another seed than the others.
            odd = cell == "skilled" and found.run.method is not None and found.run.method.name == "grpo_or"
            if found.run.seed == int(odd):
                (tmp_path / cell).mkdir(exist_ok=True)
                RowFile(tmp_path / cell).append(found)
    cells = [found["cell"] for found in agreement_rows(published / "lab", tmp_path, "success")]
    assert cells == ["TriviaSearch, 2 turns, knowing", "mean over cells"]


def test_the_published_table_is_made_of_the_published_rows(capsys):
    published = Path(__file__).parent.parent / "benchmarks" / "published"
    folders = {"lab": published / "lab", "comparison": published / "evidence"}
    run(Namespace(**folders, metric="success", setting=None, json=False))
    assert capsys.readouterr().out.strip() in (published / "lab" / "agreement.md").read_text(encoding="utf-8")
