"""Loads questions from the bundled atlas, datasets of the Hugging Face hub, or a file of your own."""

from turnenv.questions.multihop import HopQuestion, load_multihop_questions, rows_to_hop_questions
from turnenv.questions.trivia import TriviaQuestion, load_questions, rows_to_questions

__all__ = [
    "HopQuestion",
    "TriviaQuestion",
    "load_multihop_questions",
    "load_questions",
    "rows_to_hop_questions",
    "rows_to_questions",
]
