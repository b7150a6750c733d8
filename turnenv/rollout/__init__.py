"""Playing whole episodes with a policy; nothing here knows a tokenizer."""

from turnenv.rollout.batch import vectorise
from turnenv.rollout.collecting import collect

__all__ = ["collect", "vectorise"]
