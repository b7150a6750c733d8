"""`turnenv show`: an environment's prompt, tools, rewards and an example episode."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnenv.commands.catalogue import Entry, read_catalogue, read_example
from turnenv.commands.console import Commands, MistakeError, Parser, paint, print_json, visible
from turnenv.commands.episode_text import readable
from turnenv.commands.ids import ID_HELP, resolve_id
from turnenv.report.visible import counted

if TYPE_CHECKING:
    from turnenv.types import Episode

_HELP = """
examples:
  turnenv show GuessNumber
  turnenv show turnenv/TriviaSearch-v0 --json

Of a file of episodes, which `turnenv evaluate --out` keeps, FILE:3 or FILE --episode 3 shows the third.
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser(
        "show", help="an environment's prompt, tools, rewards and an example; or an episode of a file", epilog=_HELP
    )
    parser.description = (
        "Show an environment: its prompt, tools, rewards and an example episode of an expert. Or show an episode of a "
        "file of episodes, the first one by default."
    )
    parser.add_argument("id", metavar="ID", help=f"{ID_HELP}; or a file of episodes (.jsonl, .jsonl.gz)")
    parser.add_argument("--episode", type=int, metavar="N", help="which episode of the file, from 1 on")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Print it.

    Raises:
        MistakeError: if there is no such environment, file or episode.
    """
    if (found := _find_file(given.id)) is not None:
        return _show_episode(found[0], found[1] if given.episode is None else given.episode, as_json=given.json)
    if given.episode is not None:
        raise MistakeError(f"--episode is for a file of episodes; there is no file {given.id}")
    env_id = resolve_id(given.id)
    shown = describe(env_id)
    if given.json:
        print_json(shown)
    else:
        print("\n\n".join(_sections(shown)))
    return 0


def _find_file(name: str) -> tuple[Path, int] | None:
    """The file, and the number after its colon or 1; None if the name is none of a file."""
    if Path(name).is_file():
        return Path(name), 1
    path, colon, number = name.rpartition(":")
    if colon and number.isdecimal() and Path(path).is_file():
        return Path(path), int(number)
    if name.endswith((".jsonl", ".jsonl.gz")):
        raise MistakeError(f"there is no file {name}")
    return None


def _show_episode(path: Path, number: int, *, as_json: bool) -> int:
    from turnenv.evaluation.episode_file import read_episodes

    try:
        episodes = read_episodes(path)
    except ValueError as error:
        raise MistakeError(f"{path} is no file of episodes: {error}") from error
    if not 1 <= number <= len(episodes):
        held = counted(len(episodes), "episode")
        raise MistakeError(f"{path} has {held}, numbered from 1; there is no episode {number}")
    episode = episodes[number - 1]
    if as_json:
        print_json({"number": number, "episodes": len(episodes), "episode": json.loads(episode.to_json())})
        return 0
    print(f"{paint(visible(episode.env_id), 'bold')}, seed {episode.seed}, episode {number} of {len(episodes)}")
    print(readable(episode, colours=True))
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
