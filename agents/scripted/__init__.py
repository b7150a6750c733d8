"""Scripted agents: for each id an expert, who plays by the public rules, and a random one, who knows only the words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agents.scripted import credit_chain

Agent = Callable[[str], str]
"""From what is new to what the agent writes; one agent plays one episode."""

EXPERTS: Mapping[str, Callable[[], Agent]] = {
    "turnenv/CreditChain-v0": credit_chain.make_expert,
    "turnenv/CreditChain-easy-v0": credit_chain.make_expert,
    "turnenv/CreditChain-hard-v0": credit_chain.make_expert,
    "turnenv/CreditChain-hackable-v0": credit_chain.make_expert,
    "turnenv/CreditChain-recoverable-v0": credit_chain.make_expert,
}

RANDOMS: Mapping[str, Callable[[int], Agent]] = {
    "turnenv/CreditChain-v0": credit_chain.make_random,
    "turnenv/CreditChain-easy-v0": credit_chain.make_random,
    "turnenv/CreditChain-hard-v0": credit_chain.make_random,
    "turnenv/CreditChain-hackable-v0": credit_chain.make_random,
    "turnenv/CreditChain-recoverable-v0": credit_chain.make_random,
}
