"""Scripted agents: for each id an expert, who plays by the public rules, and a random one, who knows only the words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agents.scripted import (
    blocks_arm,
    calculator,
    credit_chain,
    customer_service,
    grid_quest,
    multi_hop_search,
    science_lab,
    twenty_questions,
    word_guess,
)

Agent = Callable[[str], str]
"""From what is new to what the agent writes; one agent plays one episode."""

EXPERTS: Mapping[str, Callable[[], Agent]] = {
    "turnenv/CreditChain-v0": credit_chain.make_expert,
    "turnenv/CreditChain-easy-v0": credit_chain.make_expert,
    "turnenv/CreditChain-hard-v0": credit_chain.make_expert,
    "turnenv/CreditChain-hackable-v0": credit_chain.make_expert,
    "turnenv/CreditChain-recoverable-v0": credit_chain.make_expert,
    "turnenv/GridQuest-v0": grid_quest.make_expert,
    "turnenv/GridQuest-easy-v0": grid_quest.make_expert,
    "turnenv/GridQuest-hard-v0": grid_quest.make_expert,
    "turnenv/WordGuess-v0": word_guess.make_expert,
    "turnenv/WordGuess-easy-v0": word_guess.make_expert,
    "turnenv/WordGuess-hard-v0": word_guess.make_expert,
    "turnenv/TwentyQuestions-v0": twenty_questions.make_expert,
    "turnenv/TwentyQuestions-easy-v0": twenty_questions.make_expert,
    "turnenv/TwentyQuestions-hard-v0": twenty_questions.make_expert,
    "turnenv/BlocksArm-v0": blocks_arm.make_expert,
    "turnenv/BlocksArm-easy-v0": blocks_arm.make_expert,
    "turnenv/BlocksArm-hard-v0": blocks_arm.make_expert,
    "turnenv/ScienceLab-v0": science_lab.make_expert,
    "turnenv/ScienceLab-easy-v0": science_lab.make_expert,
    "turnenv/ScienceLab-hard-v0": science_lab.make_expert,
    "turnenv/Calculator-v0": calculator.make_expert,
    "turnenv/Calculator-easy-v0": calculator.make_expert,
    "turnenv/Calculator-hard-v0": calculator.make_expert,
    "turnenv/CustomerService-v0": customer_service.make_expert,
    "turnenv/CustomerService-easy-v0": customer_service.make_expert,
    "turnenv/CustomerService-hard-v0": customer_service.make_expert,
    "turnenv/MultiHopSearch-v0": multi_hop_search.make_expert,
    "turnenv/MultiHopSearch-easy-v0": multi_hop_search.make_expert,
    "turnenv/MultiHopSearch-hard-v0": multi_hop_search.make_expert,
}

RANDOMS: Mapping[str, Callable[[int], Agent]] = {
    "turnenv/CreditChain-v0": credit_chain.make_random,
    "turnenv/CreditChain-easy-v0": credit_chain.make_random,
    "turnenv/CreditChain-hard-v0": credit_chain.make_random,
    "turnenv/CreditChain-hackable-v0": credit_chain.make_random,
    "turnenv/CreditChain-recoverable-v0": credit_chain.make_random,
    "turnenv/GridQuest-v0": grid_quest.make_random,
    "turnenv/GridQuest-easy-v0": grid_quest.make_random,
    "turnenv/GridQuest-hard-v0": grid_quest.make_random,
    "turnenv/WordGuess-v0": word_guess.make_random,
    "turnenv/WordGuess-easy-v0": word_guess.make_random,
    "turnenv/WordGuess-hard-v0": word_guess.make_random,
    "turnenv/TwentyQuestions-v0": twenty_questions.make_random,
    "turnenv/TwentyQuestions-easy-v0": twenty_questions.make_random,
    "turnenv/TwentyQuestions-hard-v0": twenty_questions.make_random,
    "turnenv/BlocksArm-v0": blocks_arm.make_random,
    "turnenv/BlocksArm-easy-v0": blocks_arm.make_random,
    "turnenv/BlocksArm-hard-v0": blocks_arm.make_random,
    "turnenv/ScienceLab-v0": science_lab.make_random,
    "turnenv/ScienceLab-easy-v0": science_lab.make_random,
    "turnenv/ScienceLab-hard-v0": science_lab.make_random,
    "turnenv/Calculator-v0": calculator.make_random,
    "turnenv/Calculator-easy-v0": calculator.make_random,
    "turnenv/Calculator-hard-v0": calculator.make_random,
    "turnenv/CustomerService-v0": customer_service.make_random,
    "turnenv/CustomerService-easy-v0": customer_service.make_random,
    "turnenv/CustomerService-hard-v0": customer_service.make_random,
    "turnenv/MultiHopSearch-v0": multi_hop_search.make_random,
    "turnenv/MultiHopSearch-easy-v0": multi_hop_search.make_random,
    "turnenv/MultiHopSearch-hard-v0": multi_hop_search.make_random,
}
