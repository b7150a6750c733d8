"""`turnenv show`: an environment's prompt, tools, rewards and an example episode."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from turnenv.commands.catalogue import Entry, read_catalogue, read_example
from turnenv.commands.console import Commands, Parser, paint, print_json, visible
from turnenv.commands.episode_text import readable
from turnenv.commands.ids import ID_HELP, resolve_id

if TYPE_CHECKING:
    from turnenv.types import Episode

_HELP = """
examples:
  turnenv show GuessNumber
  turnenv show turnenv/TriviaSearch-v0 --json
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser(
        "show", help="an environment's prompt, tools, rewards and an example episode", epilog=_HELP
    )
    parser.description = "Show an environment: its prompt, tools, rewards and an example episode of an expert."
    parser.add_argument("id", metavar="ID", help=ID_HELP)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Print it."""
    env_id = resolve_id(given.id)
    shown = describe(env_id)
    if given.json:
        print_json(shown)
    else:
        print("\n\n".join(_sections(shown)))
    return 0


def describe(env_id: str) -> dict[str, Any]:
    """What is known of an id: that of the environment itself, and of the catalogue and the examples if it is ours."""
    from turnenv.commands.making import make
    from turnenv.core import TextEnv

    env = make(env_id)
    entry = next((entry for entry in read_catalogue() if entry["id"] == env_id), None)
    example = read_example(env_id)
    return {
        "id": env_id,
        "summary": entry["summary"] if entry else _first_line(type(getattr(env, "unwrapped", env)).__doc__),
        "max_turns": env.max_turns,
        "num_tasks": None if env.num_tasks == TextEnv.num_tasks else env.num_tasks,
        "system_prompt": env.system_prompt,
        "tools": list(env.tools),
        "catalogue": entry,
        "example": None if example is None else json.loads(example),
    }


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _sections(shown: Mapping[str, Any]) -> Iterator[str]:
    yield f"{paint(shown['id'], 'bold')}  {shown['summary']}"
    facts = [f"at most {shown['max_turns']:,} turns"]
    facts += [f"{shown['num_tasks']:,} tasks"] if shown["num_tasks"] else []
    entry: Entry | None = shown["catalogue"]
    if entry:
        facts.append(f"success: expert {entry['expert_success']:.1%}, random agent {entry['random_success']:.1%}")
        facts += ["solved exactly by turnenv.exact"] if entry["solved_exactly"] else []
    yield "; ".join(facts)
    yield f"{paint('System prompt', 'bold')}\n{_indented(shown['system_prompt'] or '(none)')}"
    yield f"{paint('Tools', 'bold')}\n{_indented(_tools(shown) or 'none: the agent writes plain text')}"
    if entry:
        yield f"{paint('Rewards', 'bold')}, smallest and largest seen\n{_indented(_rewards(entry))}"
    if shown["example"] is not None:
        yield f"{paint('An episode of the expert', 'bold')}\n{_indented(readable(_episode(shown['example'])))}"
    yield f"Play it: turnenv play {shown['id']}"


def _episode(fields: Mapping[str, Any]) -> Episode:
    from turnenv.types import Episode

    return Episode.from_json(json.dumps(fields))


def _tools(shown: Mapping[str, Any]) -> str:
    lines = []
    for tool in shown["tools"]:
        function = tool["function"]
        names = ", ".join(function["parameters"].get("properties", {}))
        lines.append(f"{function['name']}({names}): {' '.join(function['description'].split())}")
    return "\n".join(lines)


def _rewards(entry: Entry) -> str:
    lines = [f"a turn   {name}: {low:.3g} … {high:.3g}" for name, (low, high) in entry["turn_rewards"].items()]
    lines += [f"the end  {name}: {low:.3g} … {high:.3g}" for name, (low, high) in entry["outcome_rewards"].items()]
    return "\n".join(lines)


def _indented(text: str) -> str:
    lines = []
    for line in visible(text).splitlines():
        lines += textwrap.wrap(line, 110, subsequent_indent="  ", break_long_words=False) or [""]
    return textwrap.indent("\n".join(lines), "  ")
