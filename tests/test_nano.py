"""The nano policy: what it is taught, what is bundled, and where it starts."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("transformers")

from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.nano.demonstrations import GRAMMAR, SKILLED, WEAK, Demonstrator
from agents.nano.measure import measure
from agents.nano.teaching import encode
from turnenv.actions import Answer, ToolCall
from turnenv.atlas.articles import questions
from turnenv.envs.trivia_search import TriviaSearch

FOLDER = Path(__file__).parent.parent / "agents" / "nano"
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
    agreed = 0
    for _ in range(200):
        asked, *rest = demonstrator.conversation(SKILLED)
        if len(rest) == 3 and isinstance(GRAMMAR.parse(rest[0].text), ToolCall):
            env.reset(seed=0, options={"task": numbers[asked.text]})
            agreed += env.step(rest[0].text)[0] == rest[1].text
    # The rest are strays, and queries that find another article first.
    assert agreed > 110


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


def test_the_bundle_is_small_and_ordinary(tokenizer):
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 6_000_000
    model = AutoModelForCausalLM.from_pretrained(FOLDER)
    assert 0.9e6 < model.num_parameters() < 3e6
    assert model.config.vocab_size == len(tokenizer)


@pytest.mark.slow
def test_it_starts_as_weak_as_the_papers_base_model():
    start = measure(FOLDER, 1_024)
    for name, (target, within) in BASE_ROW.items():
        assert start[name] == pytest.approx(target, abs=within), name


def test_the_prompt_is_the_question_alone(tokenizer):
    """The policy was taught without a system prompt, and its template says so."""
    from turnenv.policies.chat_frame import ChatFrame

    frame = ChatFrame.from_tokenizer(tokenizer, eos_ids=[tokenizer.eos_token_id])
    (ids,) = frame.prompts(["Answer the question."], ["Question: What is the capital of France?"])
    assert tokenizer.decode(ids) == "<|user|>Question: What is the capital of France?<|end|><|assistant|>"
