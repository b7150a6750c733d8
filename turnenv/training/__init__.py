"""The `train` extra: any causal LM of transformers as a policy, and turn-level GRPO on TRL."""

from turnenv.extras import needs

with needs("train", "turnenv.training"):
    import peft  # noqa: F401
    import torch  # noqa: F401
    import transformers  # noqa: F401
    import trl  # noqa: F401

from turnenv.policies.chat_frame import ChatFrame
from turnenv.policies.generation import Sampling
from turnenv.policies.local import ChatPolicy
from turnenv.policies.token_stream import TokenStream
from turnenv.training.config import TurnGRPOConfig
from turnenv.training.group_log import GroupLog
from turnenv.training.metrics import episode_metrics
from turnenv.training.seeds import seed_dataset
from turnenv.training.trainer import TurnGRPOTrainer

__all__ = [
    "ChatFrame",
    "ChatPolicy",
    "GroupLog",
    "Sampling",
    "TokenStream",
    "TurnGRPOConfig",
    "TurnGRPOTrainer",
    "episode_metrics",
    "seed_dataset",
]
