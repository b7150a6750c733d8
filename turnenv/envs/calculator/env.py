"""Calculator: a word problem, a calculator whose needed results earn a reward, then the exact number."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from turnenv.actions import Answer, Grammar, Invalid, PlainGrammar, Toolbox, ToolError, make_grammar
from turnenv.core import Reply, TextEnv, TextVectorEnv
from turnenv.core.arguments import check_range, checked_arguments
from turnenv.envs.calculator.arithmetic import ExpressionError, as_written, evaluate, has_operation, read_number
from turnenv.envs.calculator.problems import WordProblem, load_word_problems


@dataclass(slots=True)
class Work:
    """The number of the problem, and whether each of its quantities was computed."""

    task: int
    computed: tuple[bool, ...]


class Calculator(TextEnv[Work]):
    """Solve a word problem with a calculator of exact fractions.

    A call whose result is a quantity that the solution needs earns `0.5/n`, where n is the number of quantities, and as
    much for each quantity that it is computed from and that was not computed before: computing the answer in one
    expression earns as much as computing it step by step. Each quantity is paid once, so that the turn rewards of an
    episode never sum to more than 0.5. Only the value of the whole expression counts, not the values of its parts, and
    a bare number is refused, so that each call tries one value. A quantity whose value is in the problem's text is not
    paid. The outcome is 1.0 for the exact number.

    Args:
        split: "train", "validation" or "test"; "gsm8k" has no "validation".
        problems: "generated", "generated-easy", "generated-hard", "gsm8k", or a file (see
            `turnenv.envs.calculator.problems`).
        grammar: "xml", "hermes" or "plain".
        max_turns: the number of messages that the agent may write, including the answer.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if an argument is out of range or names nothing known.
        FileNotFoundError, ImportError, ConnectionError: if the problems cannot be loaded; see `load_word_problems`.
    """

    grammar: Grammar

    @checked_arguments
    def __init__(
        self,
        split: str = "train",
        *,
        problems: str | os.PathLike[str] = "generated",
        grammar: str | Grammar = "xml",
        max_turns: int = 6,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        check_range("max_turns", max_turns, 1)
        self._problems = load_word_problems(problems, split)
        self.grammar = PlainGrammar(["calculate"]) if grammar == "plain" else make_grammar(grammar)
        self._toolbox = Toolbox([self.calculate])
        self.max_turns, self.num_tasks, self.tools = max_turns, len(self._problems), self._toolbox.schemas
        self.system_prompt = (
            f"Solve the word problem. Compute each step with the calculator; its results are exact. The answer is a "
            f"number alone, without a unit: a whole number, an exact decimal such as 2.5, or a fraction such as 7/3. "
            f"You have {max_turns} messages in all, the answer included.\n\n"
            f"{self.grammar.instructions(self.tools)}"
        )

    def calculate(self, expression: Annotated[str, Field(description="such as (12 + 3) * 4 / 5")]) -> str:
        """Compute an expression of numbers with + - * / ** and parentheses, exactly."""
        return _calculate(expression)

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Work, str]:
        """Task i is problem i of the split."""
        problem = self._problems[options["task"]]
        return Work(options["task"], (False,) * len(problem.quantities)), problem.text

    def respond(self, state: Work, action: str, rng: np.random.Generator) -> Reply:
        """Compute an expression, or judge the answer."""
        parsed = self.grammar.parse(action)
        problem = self._problems[state.task]
        if isinstance(parsed, Answer):
            right = read_number(parsed.text) == problem.answer
            text = "Correct." if right else "Wrong."
            return Reply.final(text, {"quantities": 0.0}, outcome={"exact_number": float(right)}, success=right)
        if isinstance(parsed, Invalid):
            return self._refuse(parsed.reason)
        try:
            result = self._toolbox.run(parsed)
        except ToolError as error:
            return self._refuse(str(error))
        computed = _computed(problem, state.computed, result)
        gained = sum(computed) - sum(state.computed)
        state.computed = computed
        return Reply.turn(self.grammar.result(result), {"quantities": 0.5 * gained / max(1, len(computed))})

    def _refuse(self, reason: str) -> Reply:
        return Reply.turn(self.grammar.result(f"Error: {reason}."), {"quantities": 0.0}, valid=False)

    def state_key(self, state: Work) -> object:
        """The problem and what was computed."""
        return state.task, state.computed


@lru_cache(maxsize=1 << 14)
def _calculate(expression: str) -> str:
    try:
        value = evaluate(expression)
    except ExpressionError as error:
        raise ToolError(str(error)) from None
    if not has_operation(expression):
        raise ToolError(f"{expression.strip()} is a number already: write what to compute")
    return as_written(value)


@lru_cache(maxsize=1 << 14)
def _ratio(result: str) -> tuple[int, int] | None:
    value = read_number(result)
    return None if value is None else value.as_integer_ratio()


def _computed(problem: WordProblem, before: tuple[bool, ...], result: str) -> tuple[bool, ...]:
    """Which quantities are computed after `result`: also those equal to it, and those that they are computed from."""
    value = _ratio(result)
    pending = [
        index
        for index, quantity in enumerate(problem.quantities)
        if value in [each.as_integer_ratio() for each in quantity.values]  # `Fraction`'s `==` takes three times as long
    ]
    if not pending:
        return before
    after = list(before)
    while pending:
        index = pending.pop()
        after[index] = True
        pending += [part for part in problem.quantities[index].parts if not after[part]]
    return tuple(after)


make_vector = partial(TextVectorEnv, Calculator)
