"""Calculator: an agent that knows the templates of the generated problems, and one that combines random numbers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache

from turnenv.actions import Grammar, make_grammar
from turnenv.envs.calculator.arithmetic import as_written, evaluate
from turnenv.envs.calculator.problems import Template, templates

_XML = make_grammar("xml")


def make_expert(grammar: Grammar = _XML) -> Callable[[str], str]:
    """Recognises the problem's template, computes its steps one by one, and answers with the last result."""
    steps: Iterator[str] = iter(())

    def act(observation: str) -> str:
        nonlocal steps
        if read := _recognise(observation):
            steps = _expressions(*read)
        if expression := next(steps, ""):
            return grammar.call("calculate", {"expression": expression}, "The next step.")
        result = re.search(r"-?\d[\d./]*", observation)
        return grammar.answer(result[0] if result else "0", "That was the last step.")

    return act


def make_random(seed: int, grammar: Grammar = _XML) -> Callable[[str], str]:
    """Combines two random numbers that it has seen, up to four times, and answers with the latest number."""
    rng, patience = random.Random(seed), random.Random(seed).randrange(1, 5)
    numbers: list[str] = []

    def act(observation: str) -> str:
        nonlocal patience
        numbers.extend(re.findall(r"\d+(?:[./]\d+)?", observation))
        patience -= 1
        if patience < 0:
            return grammar.answer(numbers[-1])
        left, right = rng.choice(numbers), rng.choice(numbers)
        return grammar.call("calculate", {"expression": f"({left}) {rng.choice('+-*/')} ({right})"})

    return act


def _recognise(text: str) -> tuple[Template, dict[str, Fraction]] | None:
    for template, pattern in _patterns():
        if found := pattern.fullmatch(text):
            shown = found.groupdict()
            return template, {name: Fraction(shown[name]) for name in template.numbers if name in shown}
    return None


@cache
def _patterns() -> tuple[tuple[Template, re.Pattern[str]], ...]:
    return tuple((template, re.compile(_pattern(template))) for template in templates())


def _pattern(template: Template) -> str:
    seen: set[str] = set()
    parts = []
    for index, part in enumerate(re.split(r"\{(\w+)\}", template.text)):
        if index % 2 == 0:
            parts.append(re.escape(part))
        else:
            parts.append(f"(?P={part})" if part in seen else rf"(?P<{part}>\w+)")
            seen.add(part)
    return "".join(parts)


def _expressions(template: Template, numbers: dict[str, Fraction]) -> Iterator[str]:
    """The steps with numbers in the place of names."""
    known = dict(numbers)
    for step in template.steps:
        name, _, expression = (part.strip() for part in step.partition("="))
        yield re.sub(r"[a-z_]+", lambda found: f"({as_written(known[found[0]])})", expression)
        known[name] = evaluate(expression, known)
