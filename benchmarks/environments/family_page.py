"""Writes the page of a family of environments from its code, its scores and one episode of its expert."""

from __future__ import annotations

import difflib
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
from tabulate import tabulate

from agents.scripted import EXPERTS, RANDOMS
from benchmarks.environments.docstrings import read_docstring
from benchmarks.environments.scripted_scores import AgentName, Range, Score, play
from turnenv import TextEnv
from turnenv.commands.catalogue import Entry
from turnenv.commands.episode_text import readable
from turnenv.envs import TABLE
from turnenv.exact import tabular_model

Scores = Mapping[tuple[str, AgentName], Score]

_LAST_HEADERS = ("turns at most", "expert succeeds", "random succeeds", "exact values")
_WIDTH = 110
_MOST_STATES = 20_000
_MOST_ACTIONS = 50
"""Beyond either, an id is not enumerated: it would take minutes."""


@dataclass(frozen=True)
class Family:
    """A family: its name, and its ids with the default one first."""

    name: str
    ids: tuple[str, ...]

    @cached_property
    def envs(self) -> tuple[TextEnv[Any], ...]:
        """An environment of each id."""
        made = [gymnasium.make(env_id).unwrapped for env_id in self.ids]
        return tuple(env for env in made if isinstance(env, TextEnv))

    @cached_property
    def states(self) -> tuple[int | None, ...]:
        """States of task 0 of each id; None if it cannot be enumerated."""
        return tuple(map(_states, self.envs))

    @property
    def summary(self) -> str:
        """The task in one sentence: the module's docstring after its colon."""
        told = (sys.modules[type(self.envs[0]).__module__].__doc__ or "").partition(": ")[2].strip()
        return told[0].upper() + told[1:]


def render_family(family: Family, scores: Scores) -> str:
    """The family's page, Markdown."""
    env = family.envs[0]
    prose, described = read_docstring(type(env))
    sections = [
        f"# {family.name}",
        f"{family.summary} ([All environments](README.md))",
        _ids(family, scores),
        *_first_steps(family),
        "## The task",
        prose,
        "## What the agent is told",
        "The system prompt; long lines are wrapped here.",
        *_prompts(family),
        "## Tools",
        *(_tools(env.tools) or ["None: the agent writes its command as plain text."]),
        "## Rewards",
        *_rewards([scores[env_id, agent] for env_id in family.ids for agent in ("expert", "random")]),
        "## An episode",
        f"The expert in `{family.ids[0]}`, `reset(seed=0)`; long lines are wrapped.",
        _block(readable(play(family.ids[0], "expert", [0])[0]), indent=8),
        "## Scores",
        *_scores(family, scores),
        "## Parameters",
        f'Keyword arguments of `gym.make("{family.ids[0]}", …)`.',
        _parameters(type(env), described),
    ]
    if any(family.states):
        sections[-3:-3] = ["## Exact values", *_exact(family)]
    return "\n\n".join(sections) + "\n"


def render_index(families: Iterable[Family], scores: Scores) -> str:
    """The page that lists every id."""
    rows = []
    for family in families:
        for number, (env_id, env, states) in enumerate(zip(family.ids, family.envs, family.states, strict=True)):
            name = f"[`{env_id}`]({family.name}.md)"
            told = "" if number else family.summary
            rows.append([name, told, env.max_turns, *_rates(env_id, scores), "yes" if states else "no"])
    return (
        "\n\n".join(
            [
                "# Environments",
                "Every id that `gym.make` knows after `import turnenv`. A family's page has its prompt, tools, "
                "rewards, parameters, an example episode and scores. Success is shown of two agents: the expert of "
                "`agents.scripted`, which plays by the public rules, and its random agent, which acts at random and "
                "pursues no goal; a family's page describes both. Exact values: whether `turnenv.exact` solves it.",
                _table(rows, ["id", "the task", *_LAST_HEADERS]),
                "`python -m benchmarks pages` writes these pages from the code; `scores.jsonl` holds the rows.",
            ]
        )
        + "\n"
    )


def catalogue(families: Iterable[Family], scores: Scores) -> list[Entry]:
    """What `turnenv list` and `turnenv show` say of each id."""
    return [
        _entry(family, *described, scores)
        for family in families
        for described in zip(family.ids, family.envs, family.states, strict=True)
    ]


def _entry(family: Family, env_id: str, env: TextEnv[Any], states: int | None, scores: Scores) -> Entry:
    expert, at_random = scores[env_id, "expert"], scores[env_id, "random"]
    return Entry(
        id=env_id,
        family=family.name,
        summary=family.summary,
        max_turns=env.max_turns,
        num_tasks=None if env.num_tasks == TextEnv.num_tasks else env.num_tasks,
        parameters=dict(TABLE[env_id][1]),
        solved_exactly=states is not None,
        expert_success=expert.successes / expert.seeds,
        random_success=at_random.successes / at_random.seeds,
        turn_rewards=_merged([expert.turn_components, at_random.turn_components]),
        outcome_rewards=_merged([expert.outcome_components, at_random.outcome_components]),
    )


def _ids(family: Family, scores: Scores) -> str:
    rows = [
        [
            f"`{env_id}`",
            _arguments(TABLE[env_id][1]) or "the defaults",
            "any number" if env.num_tasks == TextEnv.num_tasks else f"{env.num_tasks:,}",
            env.max_turns,
            *_rates(env_id, scores),
            "yes" if states else "no",
        ]
        for env_id, env, states in zip(family.ids, family.envs, family.states, strict=True)
    ]
    return _table(rows, ["id", "parameters", "tasks", *_LAST_HEADERS])


def _rates(env_id: str, scores: Scores) -> list[str]:
    rows = [scores[env_id, "expert"], scores[env_id, "random"]]
    return [f"{100 * row.successes / row.seeds:.1f} %" for row in rows]


def _arguments(kwargs: Mapping[str, Any]) -> str:
    return f"`{', '.join(f'{name}={value!r}' for name, value in kwargs.items())}`" if kwargs else ""


def _first_steps(family: Family) -> Iterator[str]:
    turn = play(family.ids[0], "expert", [0])[0].turns[0]
    quoted = f'"""{turn.action}"""' if "\n" in turn.action else repr(turn.action).replace("'", '"')
    yield "\n".join(
        [
            "```python",
            "import gymnasium as gym",
            "",
            "import turnenv",
            "",
            f'env = gym.make("{family.ids[0]}")',
            "observation, info = env.reset(seed=0)",
            f"action = {quoted}",
            "observation, reward, terminated, truncated, info = env.step(action)",
            "print(f\"{info['turn_reward']:.3f}\")",
            f"#> {turn.turn_reward:.3f}",
            "```",
        ]
    )


def _prompts(family: Family) -> Iterator[str]:
    """The default's prompt in full, and how the others' differ from it."""
    prompt = family.envs[0].system_prompt
    yield _block(prompt)
    for env_id, env in zip(family.ids[1:], family.envs[1:], strict=True):
        changes = list(difflib.ndiff(prompt.splitlines(), env.system_prompt.splitlines()))
        gone, new = ([line[2:] for line in changes if line.startswith(sign)] for sign in ("- ", "+ "))
        lines = f"{len(gone)} line{'s' if len(gone) > 1 else ''} of it"
        if new:
            yield f"`{env_id}` replaces {lines} with:" if gone else f"`{env_id}` adds:"
            yield _block("\n".join(new))
        else:
            yield f"`{env_id}` leaves {lines} out." if gone else f"`{env_id}` says the same."


def _tools(tools: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for tool in tools:
        told = tool["function"]
        parameters = told["parameters"].get("properties", {})
        signature = ", ".join(f"{name}: {_kind(schema)}" for name, schema in parameters.items())
        meanings = "; ".join(
            f"`{name}`: {schema['description']}" for name, schema in parameters.items() if "description" in schema
        )
        rows.append([f"`{told['name']}({signature})`", " ".join(told["description"].split()), meanings])
    return [_table(rows, ["call", "what it does", "arguments"])] if rows else []


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = [_kind(part) for part in schema.get("anyOf", ())]
    return " or ".join(kinds) if kinds else str(schema.get("type", "any"))


def _rewards(rows: Sequence[Score]) -> Iterator[str]:
    turn = _merged([row.turn_components for row in rows])
    outcome = _merged([row.outcome_components for row in rows])
    table = [[f"`{name}`", "a turn", *_ends(seen)] for name, seen in turn.items()]
    table += [[f"`{name}`", "the end", *_ends(seen)] for name, seen in outcome.items()]
    yield _table(table, ["component", "paid for", "least seen", "most seen"])
    sums = [row.turn_sum for row in rows]
    low, high = _ends((min(low for low, _ in sums), max(high for _, high in sums)))
    yield (
        f"The turn rewards of an episode summed to between {low} and {high}. Seen in {rows[0].seeds} episodes of the "
        f"expert and as many of the random agent, in every id of the family."
    )


def _merged(rows: Iterable[Mapping[str, Range]]) -> dict[str, Range]:
    merged: dict[str, Range] = {}
    for row in rows:
        for name, (low, high) in row.items():
            known = merged.get(name, (low, high))
            merged[name] = min(known[0], low), max(known[1], high)
    return merged


def _ends(seen: Range) -> tuple[str, str]:
    return f"{seen[0] or 0.0:.3g}", f"{seen[1] or 0.0:.3g}"


def _scores(family: Family, scores: Scores) -> Iterator[str]:
    rows = []
    for env_id in family.ids:
        for agent in ("expert", "random"):
            row = scores[env_id, agent]
            low, high = row.success_interval
            success = f"{100 * row.successes / row.seeds:.1f} ({100 * low:.1f} to {100 * high:.1f})"
            earned = f"{row.mean_return:.3f} ± {row.return_half_width:.3f}"
            rows.append([f"`{env_id}`", agent, success, earned, f"{row.mean_turns:.1f}"])
    yield _table(rows, ["id", "agent", "success, %", "return", "turns"])
    first = scores[family.ids[0], "expert"]
    yield f"{first.seeds} seeds; success with Wilson's 95 % interval, return with Student's."
    for title, agents in (("expert", EXPERTS), ("random agent", RANDOMS)):
        yield f"The {title}: {_sentence(agents[family.ids[0]])}"


def _sentence(documented: object) -> str:
    told = " ".join(read_docstring(documented)[0].split())
    return told[0].lower() + told[1:]


def _exact(family: Family) -> Iterator[str]:
    counts = [
        f"`{env_id}` ({states:,} states)"
        for env_id, states in zip(family.ids, family.states, strict=True)
        if states is not None
    ]
    yield (
        f"`turnenv.exact` enumerates a task of {', '.join(counts)}, and gives optimal values, the values and "
        f"advantages of any policy, and its exact gradient (states counted in task 0)."
    )
    cls: Any = type(family.envs[0])
    if cls.observation_key is not cls.state_key:
        yield "The agent does not see the whole state: `turnenv.exact.beliefs` gives the values of what it can know."


def _states(env: TextEnv[Any]) -> int | None:
    solvable: Any = env
    if not hasattr(env, "action_texts") or len(solvable.action_texts) > _MOST_ACTIONS:
        return None
    try:
        return len(tabular_model(solvable, (0,), max_states=_MOST_STATES).keys)
    except ValueError:
        return None


def _parameters(documented: type, described: Mapping[str, str]) -> str:
    rows = []
    for name, parameter in inspect.signature(documented).parameters.items():
        default = "" if parameter.default is parameter.empty else f"`{parameter.default!r}`"
        rows.append([f"`{name}`", f"`{parameter.annotation}`", default, described[name]])
    return _table(rows, ["name", "type", "default", "what"])


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    cells = [[str(cell).replace("|", r"\|") for cell in row] for row in rows]
    return tabulate(cells, headers, tablefmt="pipe", disable_numparse=True)


def _block(text: str, indent: int = 2) -> str:
    lines = []
    for line in text.splitlines():
        lines += textwrap.wrap(line, _WIDTH, subsequent_indent=" " * indent, break_long_words=False) or [""]
    return "\n".join(["```text", *lines, "```"])
