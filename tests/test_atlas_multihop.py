"""Questions of several hops: chains that hold, one answer each, splits that do not leak, files of HotpotQA's schema."""

import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from turnenv.atlas import articles as atlas
from turnenv.atlas import multihop
from turnenv.atlas.articles import SPLITS, split_of
from turnenv.questions import multihop as multihop_questions
from turnenv.questions.multihop import HopQuestion, load_multihop_questions, rows_to_hop_questions
from turnenv.rewards import contains, exact_match

datasets = pytest.importorskip("datasets")

ARTICLES = {article.title: article.text for article in atlas.articles()}
BLUNDER = re.compile(r"  |\b[Tt]he the\b|\bof of\b|[{}|;]|\.\.|\b[Aa] [aeioAEIO]| [,?]|\?.|today (?:have|belong|died)")


def test_is_large_enough():
    hops = Counter(len(question.hops) for question in multihop.questions())
    assert hops[2] >= 2_000
    assert hops[3] >= 1_000
    assert hops[4] >= 150
    for split in SPLITS:
        assert {len(question.hops) for question in multihop.questions(split)} == {2, 3, 4}
    assert len(multihop.questions("train")) >= 3_000


def test_questions_and_ids_are_unique():
    assert len({question.question for question in multihop.questions()}) == len(multihop.questions())
    assert len({question.id for question in multihop.questions()}) == len(multihop.questions())


@pytest.mark.parametrize(
    ("question", "answer", "titles"),
    [
        (
            "What is the birth year of the writer who wrote Murder on the Orient Express?",
            "1890",
            ("Murder on the Orient Express", "Agatha Christie"),
        ),
        (
            "What is the telephone calling code of the country that today holds the birthplace of the artist who "
            "painted The Last Supper?",
            "+39",
            ("The Last Supper", "Leonardo da Vinci", "Italy"),
        ),
        (
            "What is the internet domain of the present-day country that hosted the Summer Olympics held in the year "
            "in which the writer who wrote Fahrenheit 451 died?",
            ".uk",
            ("Fahrenheit 451", "Ray Bradbury", "2012 Summer Olympics", "United Kingdom"),
        ),
    ],
)
def test_asks(question, answer, titles):
    (found,) = [item for item in multihop.questions() if item.question == question]
    assert (found.answers[0], found.titles) == (answer, titles)


def test_each_hop_names_the_next_and_the_last_one_answers():
    for question in multihop.questions():
        for fact, after in zip(question.hops, question.hops[1:], strict=False):
            assert fact.link == after.subject or after.subject.startswith(f"{fact.value} "), question
        last = question.hops[-1]
        assert question.answers == (last.value, *last.aliases)
        assert len(set(question.titles)) == len(question.hops)


def test_every_hop_has_to_be_read():
    for question in multihop.questions():
        assert not contains(question.question, question.answers), question
        for title in question.titles[:-1]:
            assert not contains(f"{title}: {ARTICLES[title]}", question.answers), question
        for fact in question.hops[1:]:
            assert not contains(question.question, [fact.subject]), question


def test_the_canonical_answer_is_right_and_english_is_plain():
    for question in multihop.questions():
        assert exact_match(question.answers[0], question.answers) == 1.0
        assert question.question.endswith("?")
        assert question.question[0].isupper()
        assert not BLUNDER.search(question.question), question


def test_held_out_questions_name_and_ask_about_nothing_of_the_training_questions():
    train = {title for question in multihop.questions("train") for title in (question.titles[0], question.titles[-1])}
    for split in ("validation", "test"):
        for question in multihop.questions(split):
            assert split_of(question.titles[0]) == split
            assert not {question.titles[0], question.titles[-1]} & train, question
    assert sum(len(multihop.questions(split)) for split in SPLITS) == len(multihop.questions())
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        multihop.questions("dev")


def test_the_atlas_is_a_source():
    loaded = load_multihop_questions("atlas", "test")
    first = multihop.questions("test")[0]
    assert loaded[0] == HopQuestion(first.question, first.answers, first.titles)
    assert load_multihop_questions("atlas", "test", limit=3) == loaded[:3]


# A row as hotpotqa/hotpot_qa has it in its distractor and fullwiki configurations.
def hotpot_row(number, question, answer, titles):
    return {
        "id": f"5a8b57f25542995d1e6f137{number}",
        "question": question,
        "answer": answer,
        "type": "bridge",
        "level": "hard",
        "supporting_facts": {"title": titles, "sent_id": list(range(len(titles)))},
        "context": {"title": [*titles, "Elsewhere"], "sentences": [["One.", " Two."] for _ in range(len(titles) + 1)]},
    }


ROWS = [
    hotpot_row(1, "Were Scott and Ed of one nationality?", "yes", ["Scott Derrickson", "Ed Wood", "Ed Wood"]),
    hotpot_row(2, "What post did the actress hold?", "Chief of Protocol", ["Kiss and Tell", "Shirley Temple"]),
]
EXPECTED = [
    HopQuestion("Were Scott and Ed of one nationality?", ("yes",), ("Scott Derrickson", "Ed Wood")),
    HopQuestion("What post did the actress hold?", ("Chief of Protocol",), ("Kiss and Tell", "Shirley Temple")),
]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_json_lines_of_hotpotqa(tmp_path):
    path = write(tmp_path / "hotpot.jsonl", ROWS)
    assert list(load_multihop_questions(path)) == EXPECTED
    assert list(load_multihop_questions(path, limit=1)) == EXPECTED[:1]
    write(path, ROWS[1:])
    assert list(load_multihop_questions(path)) == EXPECTED[1:]


def test_parquet_of_hotpotqa(tmp_path):
    path = tmp_path / "hotpot.parquet"
    datasets.Dataset.from_list(ROWS).to_parquet(str(path))
    assert list(load_multihop_questions(path)) == EXPECTED


def test_plain_titles_and_several_answers(tmp_path):
    rows = [{"question": "Who?", "answers": ["A", "B"], "titles": ["One", "Two", "Three"]}]
    assert load_multihop_questions(write(tmp_path / "own.jsonl", rows))[0] == HopQuestion(
        "Who?", ("A", "B"), ("One", "Two", "Three")
    )
    path = tmp_path / "own.csv"
    path.write_text("question,answer,titles\nWho?,A,One|Two\n")
    assert load_multihop_questions(path)[0].titles == ("One", "Two")


def test_pairs_of_the_original_files():
    row = {"question": "Who?", "answer": "A", "supporting_facts": [["One", 0], ["Two", 3], ["Two", 4]]}
    assert next(rows_to_hop_questions([row], source="here")).titles == ("One", "Two")


@pytest.fixture
def hotpot_repository(tmp_path, monkeypatch):
    """A dataset repository of HotpotQA's layout, which `datasets` opens as it opens the one on the hub."""
    folder = tmp_path / "hotpot_qa"
    (folder / "distractor").mkdir(parents=True)
    for split, rows in {"train": ROWS, "validation": ROWS[1:]}.items():
        datasets.Dataset.from_list(rows).to_parquet(str(folder / "distractor" / f"{split}-00000-of-00001.parquet"))
    files = "".join(f"  - split: {split}\n    path: distractor/{split}-*\n" for split in ("train", "validation"))
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: distractor\n  data_files:\n{files}---\n", encoding="utf-8"
    )
    monkeypatch.setattr(multihop_questions, "_HOTPOT_QA", replace(multihop_questions._HOTPOT_QA, path=str(folder)))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    multihop_questions._hotpot_qa.cache_clear()
    yield folder
    multihop_questions._hotpot_qa.cache_clear()


def test_hotpotqa_by_the_real_loading_code(hotpot_repository):
    assert list(load_multihop_questions("hotpot_qa", "train")) == EXPECTED
    assert list(load_multihop_questions("hotpot_qa", "validation")) == EXPECTED[1:]
    with pytest.raises(ValueError, match="no answers for the split 'test'"):
        load_multihop_questions("hotpot_qa", "test")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "holds no rows"),
        ([{"question": "Who?", "answer": "A"}], "row 1 names no supporting article"),
        ([{"question": "Who?", "titles": ["One"]}], "no column 'answer'"),
        ([{"query": "Who?", "answer": "A", "titles": ["One"]}], "no column 'question'"),
        ([{"question": "Who?", "answer": "", "titles": ["One"]}], "row 1: 'answer' holds no answer"),
    ],
)
def test_a_broken_file_is_explained(tmp_path, rows, said):
    with pytest.raises(ValueError, match=said):
        load_multihop_questions(write(tmp_path / "broken.jsonl", rows))


def test_an_unknown_source_is_explained(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'hotpot_qa'"):
        load_multihop_questions("hotpotqa")
    with pytest.raises(FileNotFoundError, match="missing"):
        load_multihop_questions(tmp_path / "missing.jsonl")
    with pytest.raises(ValueError, match="limit"):
        load_multihop_questions(limit=0)
