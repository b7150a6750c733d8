"""Lists every id: the page of all environments, and the catalogue that `turnenv list` reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.environments.family import LAST_HEADERS, Family, Scores, merged_ranges, rates
from benchmarks.environments.markdown import table
from turnenv import TextEnv
from turnenv.commands.catalogue import Entry
from turnenv.envs import TABLE


def render_index(families: Iterable[Family], scores: Scores) -> str:
    """The page that lists every id."""
    rows = []
    for family in families:
        for number, (env_id, env, states) in enumerate(zip(family.ids, family.envs, family.states, strict=True)):
            name = f"[`{env_id}`]({family.name}.md)"
            told = "" if number else family.summary
            rows.append([name, told, env.max_turns, *rates(env_id, scores), "yes" if states else "no"])
    return (
        "\n\n".join(
            [
                "# Environments",
                "Every id that `gym.make` knows after `import turnenv`. A family's page has its prompt, tools, "
                "rewards, parameters, an example episode and scores. Success is shown of two agents: the expert of "
                "`agents.scripted`, which plays by the public rules, and its random agent, which acts at random and "
                "pursues no goal; a family's page describes both. Exact values: whether `turnenv.exact` solves it.",
                table(rows, ["id", "the task", *LAST_HEADERS]),
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
        turn_rewards=merged_ranges([expert.turn_components, at_random.turn_components]),
        outcome_rewards=merged_ranges([expert.outcome_components, at_random.outcome_components]),
    )
