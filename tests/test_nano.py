"""The nano policy: what it is taught, what is bundled, and where it starts."""

from collections import Counter
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("transformers")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.nano.__main__ import demonstrate_habits, teachers
from agents.nano.demonstrations import GRAMMAR, SKILLED, WEAK, Demonstrator
from agents.nano.measure import measure
from agents.nano.model import make_model
from agents.nano.names import Inventor
from agents.nano.recall import KNOWN, Reciter, is_known
from agents.nano.starts import STARTS
from agents.nano.teaching import Lesson, batch_of, encode, teach
from turnenv.actions import Answer, ToolCall
from turnenv.atlas.articles import questions
from turnenv.envs.trivia_search import TriviaSearch

FOLDER = Path(__file__).parent.parent / "agents" / "nano"
FOLDERS = {"weak": FOLDER, **{name: FOLDER / name for name in ("knowing", "skilled")}}
BASE_ROW = {"tool success": (0.28, 0.08), "answer found": (0.19, 0.08), "exact match": (0.05, 0.04)}


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.mark.parametrize("habits", [SKILLED, WEAK])
def test_shares_sum_to_one(habits):
    assert sum(habits.first.values()) == pytest.approx(1.0)
    assert sum(habits.reading.values()) == pytest.approx(1.0)


def test_no_demonstration_asks_about_a_held_out_entity():
    held_out = {question.question for split in ("validation", "test") for question in questions(split)}
    demonstrator = Demonstrator(Random(0))
    asked = {demonstrator.conversation(WEAK)[0].text.removeprefix("Question: ") for _ in range(2_000)}
    assert not asked & held_out


def test_the_same_seed_demonstrates_the_same():
    left, right = Demonstrator(Random(3)), Demonstrator(Random(3))
    assert [left.conversation(WEAK) for _ in range(50)] == [right.conversation(WEAK) for _ in range(50)]


def test_demonstrations_do_what_their_shares_say():
    demonstrator = Demonstrator(Random(1))
    kinds = Counter(type(GRAMMAR.parse(demonstrator.conversation(WEAK)[1].text)).__name__ for _ in range(3_000))
    calls = WEAK.first["call"] + WEAK.first["stray_call"]
    # Some broken calls parse, and are refused for their tool or their arguments.
    assert kinds["ToolCall"] / 3_000 == pytest.approx(calls + 0.4 * WEAK.first["broken_call"], abs=0.03)
    assert kinds["Answer"] / 3_000 == pytest.approx(WEAK.first["guess"], abs=0.03)


def test_a_demonstrated_result_is_what_the_environment_says():
    demonstrator = Demonstrator(Random(2), invented=0.0)
    env = TriviaSearch(split="train")
    numbers = {f"Question: {question.question}": n for n, question in enumerate(questions("train"))}
    agreed = searched = 0
    for _ in range(200):
        asked, *rest = demonstrator.conversation(SKILLED)
        if len(rest) == 3 and isinstance(GRAMMAR.parse(rest[0].text), ToolCall):
            env.reset(seed=0, options={"task": numbers[asked.text]})
            searched += 1
            agreed += env.step(rest[0].text)[0] == rest[1].text
    # The rest are strays, and queries that find another article first.
    assert searched > 150
    assert agreed > 0.85 * searched


def test_skilled_readers_answer_right():
    demonstrator = Demonstrator(Random(4), invented=0.0)
    right = {f"Question: {question.question}": question.answers for question in questions("train")}
    answers = []
    for _ in range(500):
        asked, *rest = demonstrator.conversation(SKILLED)
        if len(rest) == 3 and "The result says it." in rest[-1].text and "stray" not in rest[0].text:
            said = GRAMMAR.parse(rest[-1].text)
            assert isinstance(said, Answer)
            answers.append(said.text in right[asked.text])
    assert len(answers) > 250
    assert sum(answers) / len(answers) > 0.9


def test_labels_cover_the_policys_words_alone(tokenizer):
    told = Demonstrator(Random(5)).conversation(SKILLED)
    ids, labels = encode(tokenizer, told)
    taught = [token for token, label in zip(ids, labels, strict=True) if label != -100]
    spoken = "".join(f"{message.text}<|end|>" for message in told if message.role == "assistant")
    assert tokenizer.decode(taught) == spoken
    assert tokenizer.decode(ids) == "".join(f"<|{message.role}|>{message.text}<|end|>" for message in told)


def test_the_lesson_is_the_chat_template(tokenizer):
    told = Demonstrator(Random(6)).conversation(SKILLED)
    chat = [{"role": message.role, "content": message.text} for message in told]
    assert tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False) == encode(tokenizer, told)[0]


def test_any_text_survives_the_tokenizer(tokenizer):
    for text in ("日本 🙂\n\n  x", '{"name": "search"', "<tool>\n</tool>", "São Tomé"):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_the_bundles_are_small_together():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 6_000_000


@pytest.mark.parametrize("name", FOLDERS)
def test_a_bundle_is_an_ordinary_model_in_float32(name, tokenizer):
    model = AutoModelForCausalLM.from_pretrained(FOLDERS[name])
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert 0.8e6 < model.num_parameters() < 1e6
    assert model.config.vocab_size == len(tokenizer)
    assert (FOLDERS[name] / "tokenizer.json").read_bytes() == (FOLDER / "tokenizer.json").read_bytes()


def test_a_start_that_recites_nothing_gets_the_demonstrations_alone():
    # The bundled weak start was taught by these: another draw in between, and its recipe makes another policy.
    weak, knowing = STARTS["weak"], replace(STARTS["knowing"], recited=1.0)
    plain, taught = Demonstrator(Random("weak 0"), invented=weak.invented), teachers(weak, Random("weak 0"))
    for _ in range(20):
        assert demonstrate_habits(weak, *taught) == plain.conversation(weak.habits)
    taught = teachers(knowing, Random("knowing 0"))
    asked = {f"Question: {question.question}" for question in questions()}
    assert not asked & {demonstrate_habits(knowing, *taught)[0].text for _ in range(20)}


def test_no_question_set_asks_what_is_learned_by_heart():
    asked = {f"Question: {question.question}" for question in questions()}
    reciter = Reciter(Random(7))
    assert not asked & {reciter.conversation()[0].text for _ in range(3_000)}


def test_facts_are_known_by_heart_in_all_splits_alike():
    for split in ("train", "validation", "test"):
        known = [is_known(question) for question in questions(split)]
        assert sum(known) / len(known) == pytest.approx(KNOWN, abs=0.06)


def test_what_is_learned_by_heart_is_right():
    reciter, right = Reciter(Random(8)), {question.answers[0] for question in questions()}
    for _ in range(100):
        said = GRAMMAR.parse(reciter.conversation()[1].text)
        assert isinstance(said, Answer)
        assert said.text in right


@pytest.mark.slow
def test_teaching_lowers_the_loss_of_every_lesson(tokenizer):
    demonstrator = Demonstrator(Random(9))
    skills = [demonstrator.conversation(SKILLED) for _ in range(4)]
    facts = [Reciter(demonstrator.rng).conversation() for _ in range(4)]
    model = make_model(tokenizer, 0, width=32, layers=1)

    def losses():
        batches = [batch_of(tokenizer, taught) for taught in (skills, facts)]
        with torch.no_grad():
            return [
                model(input_ids=ids, attention_mask=mask, labels=labels).loss.item() for ids, mask, labels in batches
            ]

    before, kept = losses(), []
    lessons = [Lesson(cycle(taught).__next__, 4) for taught in (skills, facts)]
    teach(model, tokenizer, lessons, 100, rng=Random(0), keep=lambda: kept.append(losses()))
    assert all(after < 0.7 * first for first, after in zip(before, losses(), strict=True))
    assert len(kept) == 1


@pytest.mark.slow
def test_it_starts_as_weak_as_the_papers_base_model():
    start = measure(FOLDER, 1_024)
    for name, (target, within) in BASE_ROW.items():
        assert start[name] == pytest.approx(target, abs=within), name


@pytest.mark.slow
def test_the_skilled_start_reads_well():
    start = measure(FOLDERS["skilled"], 512, temperature=0.0)
    assert start["exact match"] >= 0.45
    assert start["answer found"] >= 0.75


@pytest.mark.slow
def test_the_knowing_start_guesses_more_often_right_than_it_searches_right():
    start = measure(FOLDERS["knowing"], 512)
    assert start["tool success"] < 0.3
    assert start["exact match"] > start["answer found"]


def test_the_prompt_is_the_question_alone(tokenizer):
    """The policy was taught without a system prompt, and its template says so."""
    from turnenv.policies.chat_frame import ChatFrame

    frame = ChatFrame.from_tokenizer(tokenizer, eos_ids=[tokenizer.eos_token_id])
    (ids,) = frame.prompts(["Answer the question."], ["Question: What is the capital of France?"])
    assert tokenizer.decode(ids) == "<|user|>Question: What is the capital of France?<|end|><|assistant|>"


def test_invented_numbers_stay_plausible_and_names_are_new():
    inventor = Inventor(Random(10), ["Paris", "Lagos"])
    assert {len(inventor.number("1984")) for _ in range(50)} == {4}
    assert all(inventor.number("1984").startswith("1") for _ in range(50))
    names = {inventor.name() for _ in range(500)}
    assert len(names) > 300
