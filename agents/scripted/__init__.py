"""Scripted agents: for each id an expert, which plays by the public rules, and one that acts at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agents.scripted import (
    blocks_arm,
    calculator,
    credit_chain,
    customer_service,
    grid_quest,
    guess_number,
    multi_hop_search,
    science_lab,
    trivia_search,
    twenty_questions,
    word_guess,
)
from turnenv.envs import IDS

Agent = Callable[[str], str]
"""A function from observation to action; each agent plays one episode."""

_FAMILIES: Mapping[str, tuple[Callable[[], Agent], Callable[[int], Agent]]] = {
    "BlocksArm": (blocks_arm.make_expert, blocks_arm.make_random),
    "Calculator": (calculator.make_expert, calculator.make_random),
    "CreditChain": (credit_chain.make_expert, credit_chain.make_random),
    "CustomerService": (customer_service.make_expert, customer_service.make_random),
    "GridQuest": (grid_quest.make_expert, grid_quest.make_random),
    "GuessNumber": (guess_number.make_expert, guess_number.make_random),
    "MultiHopSearch": (multi_hop_search.make_expert, multi_hop_search.make_random),
    "ScienceLab": (science_lab.make_expert, science_lab.make_random),
    "TriviaSearch": (trivia_search.make_expert, multi_hop_search.make_random),
    "TwentyQuestions": (twenty_questions.make_expert, twenty_questions.make_random),
    "WordGuess": (word_guess.make_expert, word_guess.make_random),
}


def family_of(env_id: str) -> str:
    """The family of an id: "GridQuest" for "turnenv/GridQuest-easy-v0"."""
    return env_id.partition("/")[2].partition("-")[0]


EXPERTS: Mapping[str, Callable[[], Agent]] = {env_id: _FAMILIES[family_of(env_id)][0] for env_id in IDS}
"""Id → a function that makes an expert for one episode."""
RANDOMS: Mapping[str, Callable[[int], Agent]] = {env_id: _FAMILIES[family_of(env_id)][1] for env_id in IDS}
"""Id → a function of a seed that makes a random agent for one episode."""
