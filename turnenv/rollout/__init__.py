"""Plays whole episodes with a policy; it knows no tokenizer."""

from turnenv.rollout.batch import vectorise
from turnenv.rollout.collecting import collect

__all__ = ["collect", "vectorise"]
