"""Who plays: the protocols of a policy, plain functions as agents, and local language models (`local`)."""

from turnenv.policies.protocol import (
    Action,
    Conversation,
    PacedPolicy,
    Policy,
    PolicyFault,
    PreparedPolicy,
    RecordedConversation,
)
from turnenv.policies.scripted import Scripted

__all__ = [
    "Action",
    "Conversation",
    "PacedPolicy",
    "Policy",
    "PolicyFault",
    "PreparedPolicy",
    "RecordedConversation",
    "Scripted",
]
