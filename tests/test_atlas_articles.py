import re
import string
import subprocess
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from turnenv.atlas import articles as atlas
from turnenv.atlas.articles import SPLITS, articles, facts, questions, split_of
from turnenv.atlas.tables import TOPICS, topics
from turnenv.rewards import exact_match, normalise

ARTICLE = {article.title: article for article in articles()}
FACT = {(fact.subject, fact.relation): fact for fact in facts()}


BLUNDER = re.compile(
    r"  |\b[Tt]he the\b|\bof of\b|'s the\b|[{}|;]|\.\.|\b[Aa] [aeioAEIO]|\b[Aa]n [^aeiouAEIOU]| [,?]| \.(?![a-z])"
)


def test_is_large_enough() -> None:
    assert len(articles()) >= 1_200
    assert len({article.topic for article in articles()}) == len(TOPICS) >= 17
    assert len(facts()) >= 5_000
    assert len(questions()) >= 4_500


def test_stays_small_on_disk() -> None:
    package = Path(str(files("turnenv.atlas")))
    assert sum(file.stat().st_size for file in package.rglob("*") if file.suffix in {".csv", ".toml"}) < 2_000_000


def test_titles_facts_questions_and_ids_are_unique() -> None:
    for things in (
        [article.title for article in articles()],
        [(fact.subject, fact.relation) for fact in facts()],
        [question.question.lower() for question in questions()],
        [question.id for question in questions()],
    ):
        assert [thing for thing, count in Counter(things).items() if count > 1] == []


@pytest.mark.parametrize(
    ("subject", "relation", "value"),
    [
        ("France", "capital", "Paris"),
        ("Japan", "currency", "Japanese yen"),
        ("Brazil", "language", "Portuguese"),
        ("Germany", "calling_code", "+49"),
        ("Gold", "symbol", "Au"),
        ("Oxygen", "number", "8"),
        ("Lawrencium", "number", "103"),
        ("Oganesson", "period", "7"),
        ("Iron", "group", "8"),
        ("Uranium", "category", "actinide"),
        ("Texas", "capital", "Austin"),
        ("Alaska", "admitted", "1959"),
        ("Albert Einstein", "birthplace", "Ulm"),
        ("Moby-Dick", "author", "Herman Melville"),
        ("Frankenstein", "year", "1818"),
        ("Guernica", "artist", "Pablo Picasso"),
        ("Carmen", "composer", "Georges Bizet"),
        ("Jaws", "director", "Steven Spielberg"),
        ("Danube", "mouth", "the Black Sea"),
        ("Mount Everest", "year", "1953"),
        ("Titan", "parent", "Saturn"),
        ("Mars", "order", "fourth"),
        ("Python", "creator", "Guido van Rossum"),
        ("Lion", "latin", "Panthera leo"),
        ("1936 Summer Olympics", "city", "Berlin"),
        ("Eiffel Tower", "year", "1889"),
    ],
)
def test_knows(subject, relation, value) -> None:
    assert FACT[subject, relation].value == value


def test_every_question_is_one_fact() -> None:
    for question in questions():
        fact = FACT[question.entity, question.relation]
        assert question.answers == (fact.value, *fact.aliases)
        assert (question.title, question.topic) == (fact.subject, fact.topic)


def test_article_states_every_fact_of_its_subject_word_for_word() -> None:
    for fact in facts():
        value = re.escape(fact.value.lower())
        plural = "s?" if fact.relation == "class" else ""
        assert re.search(rf"(?<!\w){value}{plural}(?!\w)", ARTICLE[fact.subject].text.lower()), fact


def test_canonical_answer_is_found_and_right_under_the_rewards_normalisation() -> None:
    for question in questions():
        assert exact_match(question.answers[0], question.answers) == 1.0
        assert f" {normalise(question.answers[0])} " in f" {normalise(ARTICLE[question.title].text)} " or (
            question.relation == "class"
        )


def test_answers_are_sensible() -> None:
    for fact in facts():
        answers = (fact.value, *fact.aliases)
        assert len(set(answers)) == len(answers)
        for answer in answers:
            assert answer == answer.strip(), fact
            assert normalise(answer), fact
            assert not set(answer) & set(";|{}\n"), fact


def test_no_question_gives_its_answer_away() -> None:
    for question in questions():
        for answer in question.answers:
            assert f" {normalise(answer)} " not in f" {normalise(question.question)} ", question


def test_no_answer_is_an_ordinary_word() -> None:
    asked = {(question.entity, question.relation) for question in questions()}
    for silent in [("Arsenic", "symbol"), ("Indium", "symbol"), ("Oregon", "abbreviation"), ("Italy", "domain")]:
        assert silent in FACT
        assert silent not in asked


def test_question_names_its_entity() -> None:
    rows = {row.title: row for topic in topics() for row in topic.rows}
    for question in questions():
        assert rows[question.entity].asked.lower() in question.question.lower()


def test_text_is_well_formed() -> None:
    for text in [article.text for article in articles()] + [question.question for question in questions()]:
        assert not BLUNDER.search(text), text
        assert text[0] in string.ascii_uppercase + string.digits
    assert all(article.text.endswith(".") for article in articles())
    assert all(question.question[-1] in "?." for question in questions())


def test_articles_are_short_and_titles_ascii() -> None:
    lengths = sorted(len(article.text.split()) for article in articles())
    assert lengths[len(lengths) // 2] <= 40
    assert lengths[-1] <= 70
    assert all(article.title.isascii() for article in articles())


def test_phrasings_vary() -> None:
    for topic in topics():
        assert len(topic.intros) >= 3
        for relation in topic.relations:
            assert not relation.questions or len(set(relation.questions)) >= 3, (topic.name, relation.name)
            assert all("{name}" in question for question in relation.questions)
            assert all(f"{relation.name}}}" in sentence for sentence in relation.sentences)
    openings = Counter(question.question.split()[0] for question in questions())
    assert len([word for word, count in openings.items() if count >= 50]) >= 5


def test_every_column_is_put_into_words() -> None:
    for topic in topics():
        columns = {column for row in topic.rows for column in row.cells}
        assert columns == {relation.name for relation in topic.relations}


def test_links_lead_to_articles() -> None:
    for fact in facts():
        if fact.link:
            assert fact.value.endswith(re.sub(r" \(.*", "", fact.link)), fact
    linked = Counter((fact.topic, fact.relation) for fact in facts() if fact.link)
    for place in [("books", "author"), ("scientists", "country"), ("olympics", "country"), ("space", "parent")]:
        assert linked[place] >= 20
    assert FACT["Guernica", "artist"].link == "Pablo Picasso"
    assert FACT["Mercury (element)", "named_after"].link == "Mercury (planet)"
    assert FACT["Neptunium", "named_after"].link == "Neptune"


def test_dates_fit_together() -> None:
    """Nobody dies before birth, works as a child or after death, save the two whose works came out posthumously."""

    def year(subject: str, relation: str, unknown: int) -> int:
        return int(FACT[subject, relation].value) if (subject, relation) in FACT else unknown

    late = set()
    for fact in facts():
        if fact.relation == "born":
            assert 18 <= year(fact.subject, "died", int(fact.value) + 50) - int(fact.value) <= 100, fact
        if fact.relation in {"author", "artist", "composer", "discoverer"} and fact.link:
            done = year(fact.subject, "year", 0)
            if done:
                assert done >= year(fact.link, "born", done - 17) + 17, fact
                if done > year(fact.link, "died", done):
                    late.add(fact.subject)
    assert late == {"The Trial", "Turandot"}


def test_splits_part_the_entities() -> None:
    entities = {split: {question.entity for question in questions(split)} for split in SPLITS}
    assert sum(len(questions(split)) for split in SPLITS) == len(questions())
    assert not entities["train"] & entities["validation"]
    assert not entities["train"] & entities["test"]
    assert not entities["validation"] & entities["test"]
    for split, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        assert len(entities[split]) / len(articles()) == pytest.approx(share, abs=0.03)
        assert {question.topic for question in questions(split)} == set(TOPICS)


def test_split_and_id_do_not_change() -> None:
    assert [split_of(title) for title in ("France", "Tigris", "Greece")] == ["train", "validation", "test"]
    assert next(q.id for q in questions() if (q.entity, q.relation) == ("France", "capital")) == 527578114


def test_unknown_split_names_the_legal_ones() -> None:
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        questions("dev")


def test_is_the_same_in_every_process() -> None:
    code = "from turnenv.atlas import articles as atlas; print(ascii((atlas.articles(), atlas.questions())))"
    here = ascii((articles(), questions())) + "\n"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == here


def test_nothing_is_read_at_import() -> None:
    code = "import turnenv.atlas.articles, turnenv.atlas.tables as t; print(t.topics.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"


def test_public_names() -> None:
    assert atlas.__all__ == sorted(atlas.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
