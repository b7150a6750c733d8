"""The table of all ids that turnenv registers with `gym.make`; it can be imported without Gymnasium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: id -> (module and class, keyword arguments)
TABLE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "turnenv/GuessNumber-v0": ("guess_number:GuessNumber", {}),
    "turnenv/GuessNumber-hard-v0": ("guess_number:GuessNumber", {"low": 1, "high": 10_000}),
    "turnenv/CreditChain-v0": ("credit_chain:CreditChain", {}),
    "turnenv/CreditChain-easy-v0": ("credit_chain:CreditChain", {"length": 3}),
    "turnenv/CreditChain-hard-v0": ("credit_chain:CreditChain", {"length": 16, "distractors": 4}),
    "turnenv/CreditChain-hackable-v0": ("credit_chain:CreditChain", {"mode": "hackable"}),
    "turnenv/CreditChain-recoverable-v0": (
        "credit_chain:CreditChain",
        {"mode": "potential", "errors": "recoverable", "setback": 1, "slack": 16},
    ),
    "turnenv/CustomerService-v0": ("customer_service:CustomerService", {}),
    "turnenv/CustomerService-easy-v0": ("customer_service:CustomerService", {"level": "easy"}),
    "turnenv/CustomerService-hard-v0": ("customer_service:CustomerService", {"level": "hard"}),
    "turnenv/GridQuest-v0": ("grid_quest:GridQuest", {}),
    "turnenv/GridQuest-easy-v0": ("grid_quest:GridQuest", {"size": 3, "doors": 1}),
    "turnenv/GridQuest-hard-v0": ("grid_quest:GridQuest", {"size": 5, "doors": 3, "slip": 0.1, "max_turns": 60}),
    "turnenv/MultiHopSearch-v0": ("multi_hop_search:MultiHopSearch", {}),
    "turnenv/MultiHopSearch-easy-v0": ("multi_hop_search:MultiHopSearch", {"max_hops": 2}),
    "turnenv/MultiHopSearch-hard-v0": ("multi_hop_search:MultiHopSearch", {"min_hops": 3}),
    "turnenv/BlocksArm-v0": ("blocks_arm:BlocksArm", {}),
    "turnenv/BlocksArm-easy-v0": ("blocks_arm:BlocksArm", {"blocks": 3, "drop": 0.0}),
    "turnenv/BlocksArm-hard-v0": ("blocks_arm:BlocksArm", {"blocks": 5, "drop": 0.1}),
    "turnenv/TriviaSearch-v0": ("trivia_search:TriviaSearch", {}),
    "turnenv/Calculator-v0": ("calculator:Calculator", {}),
    "turnenv/Calculator-easy-v0": ("calculator:Calculator", {"problems": "generated-easy", "max_turns": 4}),
    "turnenv/Calculator-hard-v0": ("calculator:Calculator", {"problems": "generated-hard", "max_turns": 8}),
    "turnenv/ScienceLab-v0": ("science_lab:ScienceLab", {}),
    "turnenv/ScienceLab-easy-v0": ("science_lab:ScienceLab", {"laws": "switches", "noise": 0.2, "max_turns": 6}),
    "turnenv/ScienceLab-hard-v0": ("science_lab:ScienceLab", {"noise": 2.5, "max_turns": 12}),
    "turnenv/TwentyQuestions-v0": ("twenty_questions:TwentyQuestions", {}),
    "turnenv/TwentyQuestions-easy-v0": ("twenty_questions:TwentyQuestions", {"topic": "countries"}),
    "turnenv/TwentyQuestions-hard-v0": ("twenty_questions:TwentyQuestions", {"max_turns": 14}),
    "turnenv/WordGuess-v0": ("word_guess:WordGuess", {}),
    "turnenv/WordGuess-easy-v0": ("word_guess:WordGuess", {"length": 4}),
    "turnenv/WordGuess-hard-v0": ("word_guess:WordGuess", {"length": 6, "max_turns": 5}),
}

IDS = tuple(TABLE)


def register_all() -> None:
    """Register every id with Gymnasium, once."""
    from gymnasium.envs.registration import register, registry

    for env_id, (entry_point, kwargs) in TABLE.items():
        if env_id not in registry:
            module = entry_point.partition(":")[0]
            register(
                env_id,
                entry_point=f"turnenv.envs.{entry_point}",
                vector_entry_point=f"turnenv.envs.{module}:make_vector",
                kwargs=dict(kwargs),
                # TextEnv itself raises on a step outside an episode, and the tests run Gymnasium's checks.
                order_enforce=False,
                disable_env_checker=True,
            )
