"""Who plays: the protocol of a policy, plain functions as agents, and local language models (`local`)."""

from turnenv.policies.protocol import Action, Policy
from turnenv.policies.scripted import Scripted

__all__ = ["Action", "Policy", "Scripted"]
