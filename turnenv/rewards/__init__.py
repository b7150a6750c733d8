"""Scores of an answer against the accepted ones: pure functions of text, over one normal form."""

from turnenv.rewards.answers import answer_presence, contains, exact_match, fuzzy_match
from turnenv.rewards.folding import fold
from turnenv.rewards.normal_form import normalise
from turnenv.rewards.words import whole_words

__all__ = ["answer_presence", "contains", "exact_match", "fold", "fuzzy_match", "normalise", "whole_words"]
