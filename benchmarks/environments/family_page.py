"""Writes the page of a family of environments from its code, its scores and one episode of its expert."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.scripted import EXPERTS, RANDOMS
from benchmarks.environments.docstrings import read_docstring
from benchmarks.environments.family import LAST_HEADERS, Family, Scores, merged_ranges, rates
from benchmarks.environments.markdown import block, table
from benchmarks.environments.scripted_scores import Range, Score, play
from turnenv import TextEnv
from turnenv.commands.episode_text import readable
from turnenv.envs import TABLE


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
        block(readable(play(family.ids[0], "expert", [0])[0]), indent=8),
        "## Scores",
        *_scores(family, scores),
        "## Parameters",
        f'Keyword arguments of `gym.make("{family.ids[0]}", …)`.',
        _parameters(type(env), described),
    ]
    if any(family.states):
        sections[-3:-3] = ["## Exact values", *_exact(family)]
    return "\n\n".join(sections) + "\n"


def _ids(family: Family, scores: Scores) -> str:
    rows = [
        [
            f"`{env_id}`",
            _arguments(TABLE[env_id][1]) or "the defaults",
            "any number" if env.num_tasks == TextEnv.num_tasks else f"{env.num_tasks:,}",
            env.max_turns,
            *rates(env_id, scores),
            "yes" if states else "no",
        ]
        for env_id, env, states in zip(family.ids, family.envs, family.states, strict=True)
    ]
    return table(rows, ["id", "parameters", "tasks", *LAST_HEADERS])


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
    yield block(prompt)
    for env_id, env in zip(family.ids[1:], family.envs[1:], strict=True):
        changes = list(difflib.ndiff(prompt.splitlines(), env.system_prompt.splitlines()))
        gone, new = ([line[2:] for line in changes if line.startswith(sign)] for sign in ("- ", "+ "))
        lines = f"{len(gone)} line{'s' if len(gone) > 1 else ''} of it"
        if new:
            yield f"`{env_id}` replaces {lines} with:" if gone else f"`{env_id}` adds:"
            yield block("\n".join(new))
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
    return [table(rows, ["call", "what it does", "arguments"])] if rows else []


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = [_kind(part) for part in schema.get("anyOf", ())]
    return " or ".join(kinds) if kinds else str(schema.get("type", "any"))


def _rewards(rows: Sequence[Score]) -> Iterator[str]:
    turn = merged_ranges([row.turn_components for row in rows])
    outcome = merged_ranges([row.outcome_components for row in rows])
    seen_of = [[f"`{name}`", "a turn", *_ends(seen)] for name, seen in turn.items()]
    seen_of += [[f"`{name}`", "the end", *_ends(seen)] for name, seen in outcome.items()]
    yield table(seen_of, ["component", "paid for", "least seen", "most seen"])
    sums = [row.turn_sum for row in rows]
    low, high = _ends((min(low for low, _ in sums), max(high for _, high in sums)))
    yield (
        f"The turn rewards of an episode summed to between {low} and {high}. Seen in {rows[0].seeds} episodes of the "
        f"expert and as many of the random agent, in every id of the family."
    )


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
    yield table(rows, ["id", "agent", "success, %", "return", "turns"])
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


def _parameters(documented: type, described: Mapping[str, str]) -> str:
    rows = []
    for name, parameter in inspect.signature(documented).parameters.items():
        default = "" if parameter.default is parameter.empty else f"`{parameter.default!r}`"
        rows.append([f"`{name}`", f"`{parameter.annotation}`", default, described[name]])
    return table(rows, ["name", "type", "default", "what"])
