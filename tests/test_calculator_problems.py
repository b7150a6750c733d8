"""Word problems: templates that can be solved from what they show, and GSM8K's schema."""

import json
import re
from fractions import Fraction

import pytest

from turnenv.envs.calculator import Calculator
from turnenv.envs.calculator.problems import Quantity, WordProblem, load_word_problems, templates
from turnenv.envs.calculator.told import told_numbers

ROWS = [
    {
        "question": "A crate holds 12 jars. Ten crates arrive and 15 jars are broken. How many are whole?",
        "answer": "So 12 * 10 = <<12*10=120>>120 jars.\nOf these 120 - 15 = <<120-15=105>>105 are whole.\n#### 105",
    },
    {
        "question": "Three friends share $1,250 evenly, and one gives half of hers away. How much has she?",
        "answer": "Each gets <<1,250/3=416.67>>416.67.\nHalf is <<416.67/2=208.335>>208.335.\n#### 208.335",
    },
    {"question": "What is a score?", "answer": "It is a word for twenty.\n#### 20"},
    {
        "question": "A coat of $80 is 25% off. What does it cost?",
        "answer": "It is 80*25% = <<80*25%=20>>20 off.\nIt costs <<80-20=60>>60.\nAgain <<60=60>>60.\n#### $60",
    },
]


def as_file(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def quantity(value, *parts):
    return Quantity(tuple(map(Fraction, [value] if isinstance(value, str) else value)), parts)


def test_rows_of_gsm8k(tmp_path):
    jars, shared, score, coat = load_word_problems(as_file(tmp_path / "some.jsonl", ROWS))
    assert jars == WordProblem(ROWS[0]["question"], (quantity("120"), quantity("105", 0)), Fraction(105))
    assert shared.quantities == (quantity(["416.67", "1250/3"]), quantity("208.335", 0))
    assert score.quantities == (quantity("20"),)
    assert coat.quantities == (quantity("20"), quantity("60", 0))
    assert coat.answer == 60
    assert len(load_word_problems(tmp_path / "some.jsonl", limit=2)) == 2


def test_a_quantity_that_the_text_tells_is_not_paid_and_its_parts_stand_in_for_it(tmp_path):
    row = {
        "question": "Of 20 eggs 5 break, 5 more are added and 2 boxes are packed. How many in 3 packs?",
        "answer": "<<20-5=15>>15, <<15+5=20>>20, <<20/2=10>>10, <<10*3=30>>30\n#### 30",
    }
    told = {"question": "Is 7 a number?", "answer": "#### 7"}
    eggs, seven = load_word_problems(as_file(tmp_path / "eggs.jsonl", [row, told]))
    assert eggs.quantities == (quantity("15"), quantity("10", 0), quantity("30", 1))
    assert seven.quantities == ()


HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Ann has 12, and Bob has 5.", {12, 5}),
        ("(12); 5: 7! 8? 9\u2026", {12, 5, 7, 8, 9}),
        ("1,200, and 12,345,678.", {1200, 12345678}),
        ("1 200 kg", {1200, 1, 200}),
        ("1.200 kg", {1200, Fraction(6, 5)}),
        ("2,5 km", {2, 5, Fraction(5, 2)}),
        ("$3.50 or \u20ac4.", {Fraction(7, 2), 4}),
        ("25% off", {25, QUARTER}),
        ("25 percent", {25, QUARTER}),
        ("1.5 million", {Fraction(3, 2), 1_500_000, 10**6}),
        ("3/4 of it", {3, 4, Fraction(3, 4)}),
        ("\u00bd cup, 2\u00bc cups", {1, 2, 4, HALF, QUARTER, Fraction(9, 4)}),
        ("\u22125 degrees", {5, -5}),
        ("10-20", {10, 20}),
        ("3rd", {3}),
        ("\uff12\uff16 and \u0663", {26, 3}),
        ("twelve", {12}),
        ("Twenty-five", {25}),
        ("two hundred and fifty-one", {251}),
        ("thirty thousand two hundred", {30_200}),
        ("five and six", {5, 6}),
        ("three dozen", {36}),
        ("half a dozen", {HALF, 12, 6}),
        ("a quarter", {QUARTER}),
        ("twice as many", {2}),
        ("someone often waits", set()),
        ("", set()),
    ],
)
def test_a_number_is_told_however_it_is_written(text, numbers):
    assert told_numbers(text) == numbers


@pytest.mark.parametrize(
    "told", ["12", "12,", "twelve", "a dozen", "12.0", "$12", "12%", "\uff11\uff12", "24/2", "(12)"]
)
def test_what_is_told_earns_nothing_and_what_is_made_of_it_does(tmp_path, told):
    row = {"question": f"Ann has {told} and Bob has 5. How many?", "answer": "<<12+0=12>>12 <<12+5=17>>17\n#### 17"}
    env = Calculator(problems=as_file(tmp_path / "ann.jsonl", [row]), grammar="plain")
    env.reset(seed=0)
    assert env.step("calculate: 12+0")[4]["turn_reward"] == 0.0
    assert env.step("calculate: 12+5")[4]["turn_reward"] == 0.5


def test_an_annotation_s_numbers_are_read_however_they_are_grouped(tmp_path):
    row = {"question": "How many?", "answer": "<<600*2=1,200>>1,200 <<1,200.0+5=1,205>>1,205\n#### 1,205"}
    (problem,) = load_word_problems(as_file(tmp_path / "grouped.jsonl", [row]))
    assert problem.quantities == (quantity("1200"), quantity("1205", 0))
    assert problem.answer == 1205


@pytest.mark.parametrize("source", ["generated-easy", "generated", "generated-hard"])
def test_no_generated_quantity_stands_in_its_text(source):
    for problem in load_word_problems(source)[:2_000]:
        told = {Fraction(number) for number in re.findall(r"[0-9]+(?:\.[0-9]+)?", problem.text)}
        assert not told & {value for quantity in problem.quantities for value in quantity.values}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"question": "", "answer": "#### 1"}, "'question' must be text"),
        ({"question": "What?", "answer": "five"}, "must end in '#### <number>'"),
        ({"question": "What?"}, "has no column 'answer'"),
        ({"question": "What?", "answer": 5}, "'answer' must be text, got '5'"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, told):
    with pytest.raises(ValueError, match=f"bad.jsonl, row 1.*{re.escape(told)}"):
        load_word_problems(as_file(tmp_path / "bad.jsonl", [row]))


def test_unknown_sources_are_refused(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'gsm8k'"):
        load_word_problems("gsm8")
    with pytest.raises(ValueError, match="no answers for the split 'validation'"):
        load_word_problems("gsm8k", "validation")
    with pytest.raises(ValueError, match="unknown split"):
        load_word_problems("generated", "dev")
    with pytest.raises(ValueError, match="limit"):
        load_word_problems("generated", limit=0)
    with pytest.raises(ValueError, match="no rows"):
        load_word_problems(as_file(tmp_path / "none.jsonl", []))


def test_gsm8k_without_a_hub_says_what_to_do(monkeypatch):
    import datasets

    asked = []

    def offline(*args, **kwargs):
        asked.append((args, kwargs))
        raise OSError("no route")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(ConnectionError, match="Connect to the Hugging Face hub once"):
        load_word_problems("gsm8k", "test")
    assert asked == [(("openai/gsm8k", "main"), {"split": "test"})]


def test_gsm8k_as_datasets_gives_it(monkeypatch):
    import datasets

    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **kwargs: datasets.Dataset.from_list(ROWS[:2]))
    problems = load_word_problems("gsm8k", "train[:2]")
    assert [problem.answer for problem in problems] == [105, Fraction("208.335")]


@pytest.mark.parametrize(
    ("source", "low", "high"), [("generated-easy", 2, 2), ("generated", 2, 4), ("generated-hard", 5, 6)]
)
def test_generated_problems_are_seeded_and_positive(source, low, high):
    problems = load_word_problems(source)[:600]
    assert problems == load_word_problems(source, limit=600)
    assert len({problem.text for problem in problems}) > 450
    assert problems[0] != load_word_problems(source, "test")[0]
    for problem in problems:
        assert max(1, low - 2) <= len(problem.quantities) <= high
        assert all(value > 0 for quantity in problem.quantities for value in quantity.values)
        assert all(part < index for index, quantity in enumerate(problem.quantities) for part in quantity.parts)
        assert "{" not in problem.text


def test_a_generated_problem_by_hand():
    found = next(p for p in load_word_problems("generated-hard")[:400] if p.text.startswith("A bakery"))
    loaves, cost, price, unsold, staff, days = map(int, re.findall(r"\d+", found.text))
    assert found.answer == ((loaves - unsold) * price - loaves * cost - staff) * days
    assert [quantity.parts for quantity in found.quantities] == [(), (), (1,), (0, 2), (3,), (4,)]


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.text[:20])
def test_steps_use_only_what_the_text_shows_and_what_was_computed(template):
    shown = set(re.findall(r"\{(\w+)\}", template.text))
    for step in template.steps:
        name, _, expression = step.partition(" = ")
        assert set(re.findall(r"[a-z_]+", expression)) <= shown
        assert name not in shown
        shown.add(name)
    last = template.steps[-1].partition(" = ")[0]
    unused = {step.partition(" = ")[0] for step in template.steps[:-1]} - set(
        re.findall(r"[a-z_]+", " ".join(step.partition(" = ")[2] for step in template.steps))
    )
    assert not unused, f"{last} does not need {unused}"
