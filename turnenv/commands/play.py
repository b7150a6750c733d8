"""`turnenv play`: a person, or random texts, play an episode; each turn's reward is shown as it comes."""

from __future__ import annotations

import argparse
import functools
import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from turnenv.commands.console import Commands, MistakeError, Parser, UnavailableError, note, paint, print_json, visible
from turnenv.commands.episode_text import parts
from turnenv.commands.ids import ID_HELP, resolve_id

if TYPE_CHECKING:
    from turnenv.types import Episode, Turn

_HELP = """
examples:
  turnenv play GridQuest-easy
  printf '25\\n37\\n30\\n' | turnenv play GuessNumber --task 29 --seed 0
  turnenv play TriviaSearch --as random --seed 3 --json

A line is an action; a line that ends in a backslash goes on in the next one. Ctrl-D stops before the episode is over.
"""

Player = Callable[[str], str | None]
"""From what is new to the action; None if the player stops."""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser("play", help="play an episode yourself; see each turn's reward", epilog=_HELP)
    parser.description = "Play an episode; the reward of each turn is shown as it comes."
    parser.add_argument("id", metavar="ID", help=ID_HELP)
    parser.add_argument("--seed", type=int, help="of the episode; a new one each time by default")
    parser.add_argument("--task", type=int, help="which task; the seed decides by default")
    parser.add_argument(
        "--as", dest="player", choices=("me", "random"), default="me", help="who plays (default: %(default)s)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document; terminals see the episode on stderr"
    )
    parser.set_defaults(run=run)
    return parser


def run(given: argparse.Namespace) -> int:
    """Play.

    Raises:
        MistakeError: if there is no such task.
        UnavailableError: if the episode ended in a fault.
    """
    from turnenv.commands.making import make
    from turnenv.commands.random_player import RandomPlayer

    env_id = resolve_id(given.id)
    env = make(env_id)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    try:
        observation, started = env.reset(seed=seed, options=None if given.task is None else {"task": given.task})
    except ValueError as error:
        raise MistakeError(str(error).replace("options['task']", "--task")) from error
    say: Callable[[str], None] = note if given.json else functools.partial(print, flush=True)
    say(f"{paint(env_id, 'bold')}, task {started['task']}, seed {seed}\n\n{visible(started['system_prompt'])}\n")
    player: Player = read_action if given.player == "me" else RandomPlayer(env, seed)
    turns, closing, last = _play(env, observation, player, say)
    if not closing:
        note("\nstopped before the episode was over")
    if given.json:
        print_json(_document(env_id, started["task"], seed, turns, closing, last))
    if closing.get("fault"):
        raise UnavailableError(f"the episode ended in a fault: {closing['fault']}")
    return 0


def _play(
    env: Any, observation: str, player: Player, say: Callable[[str], None]
) -> tuple[list[Turn], Mapping[str, Any], str]:
    """Turns, the closing turn's info ({} if the player stopped before), and the last observation."""
    from turnenv.types import Turn

    turns: list[Turn] = []
    say(visible(observation))
    while (action := player(observation)) is not None:
        if player is not read_action or not sys.stdin.isatty():
            say(paint(f"> {visible(action)}", "dim"))
        after, _, terminated, truncated, info = env.step(action)
        paid, key, valid = info["reward_components"], info["state_key"], info["valid_action"]
        turns.append(Turn(observation, action, info["turn_reward"], paid, key, valid))
        observation = after
        say(f"{visible(observation)}\n{_paid(info)}")
        if terminated or truncated:
            say(_ending(info))
            return turns, info, observation
    return turns, {}, observation


def read_action(observation: str) -> str | None:
    """An action that a person types; None at the end of the input."""
    lines: list[str] = []
    while True:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return "\n".join(lines) if lines else None
        line = line.removesuffix("\n").removesuffix("\r")
        if not line.endswith("\\"):
            return "\n".join([*lines, line])
        lines.append(line[:-1])


def _paid(info: Mapping[str, Any]) -> str:
    reward = info["turn_reward"]
    text = f"  turn {info['turn']}: reward {reward:.3g}{parts(info['reward_components'])}"
    text += "" if info["valid_action"] else " (not a valid action)"
    return paint(text, "green" if reward > 0 else "red" if reward < 0 else "dim")


def _ending(info: Mapping[str, Any]) -> str:
    outcome, turns = info["outcome"], sum(info["turn_rewards"])
    solved = paint("solved", "green") if outcome["success"] else paint("not solved", "red")
    fault = f": {visible(info['fault'])}" if info["fault"] else ""
    return (
        f"  end ({outcome['end']}{fault}): outcome {outcome['reward']:.3g}{parts(outcome['components'])}, {solved}\n"
        f"  return {turns + outcome['reward']:.3g} = turns {turns:.3g} + outcome {outcome['reward']:.3g}"
    )


def _document(
    env_id: str, task: int, seed: int, turns: Sequence[Turn], closing: Mapping[str, Any], last: str
) -> dict[str, Any]:
    if not closing:
        return {"finished": False, "episode": None, "turn_rewards": [turn.turn_reward for turn in turns]}
    episode = _episode(env_id, task, seed, turns, closing, last)
    return {"finished": True, "episode": json.loads(episode.to_json()), "turn_rewards": list(episode.turn_rewards)}


def _episode(
    env_id: str, task: int, seed: int, turns: Sequence[Turn], closing: Mapping[str, Any], last: str
) -> Episode:
    from turnenv.types import End, Episode, Outcome
    from turnenv.version import __version__

    ending = closing["outcome"]
    outcome = Outcome(ending["reward"], ending["success"], End(ending["end"]), ending["components"], closing["fault"])
    return Episode(env_id, task, seed, tuple(turns), outcome, last, __version__)
