"""`turnenv evaluate`: a model plays a fixed set of episodes; rewards by turn and outcome, with intervals."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnenv.commands.console import Commands, MistakeError, Parser, UnavailableError, note, print_json
from turnenv.commands.ids import ID_HELP, resolve_id
from turnenv.commands.json_option import read_object
from turnenv.commands.players import MODEL_HELP, PlayerOptions, make_player

if TYPE_CHECKING:
    from turnenv.core.contract import TextEnvironment
    from turnenv.evaluation.playing import Plan
    from turnenv.evaluation.summary import Summary
    from turnenv.policies import PacedPolicy, Policy
    from turnenv.policies.endpoint import Prices

    MakePlayer = Callable[[TextEnvironment], Policy | PacedPolicy]

_HELP = """
examples:
  turnenv evaluate GuessNumber GridQuest-easy --model random --episodes 20 --out runs/random
  turnenv show runs/random/GuessNumber-v0.jsonl.gz --episode 3
  turnenv evaluate GuessNumber TriviaSearch Calculator --model openai:MODEL --base-url http://127.0.0.1:8000/v1 \\
      --episodes 100 --out runs/monday

The key is read from OPENAI_API_KEY (or --api-key-env NAME) and is written nowhere. With --out, each finished episode
is kept; the same command goes on where an earlier one was stopped or killed. Episodes that end in a fault of the server
are counted apart and are in no mean; --retry-faults plays them again. Progress is on stderr.
"""


def add_parser(commands: Commands[Parser]) -> Parser:
    """Add the command."""
    parser = commands.add_parser("evaluate", help="let a model play; success and rewards with intervals", epilog=_HELP)
    parser.description = "Let a model play a fixed set of episodes of one or more environments, and sum them up."
    parser.add_argument("ids", metavar="ID", nargs="+", help=ID_HELP)
    add_options(parser)
    parser.set_defaults(run=run)
    return parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options; the suites' command has them too."""
    add = parser.add_argument
    add("--model", required=True, help=MODEL_HELP)
    add("--base-url", metavar="URL", help="of the server; OPENAI_BASE_URL or OpenAI's own by default")
    add("--api-key-env", metavar="NAME", default="OPENAI_API_KEY", help="variable that holds the key (%(default)s)")
    add("--episodes", type=int, default=100, metavar="N", help="of each environment (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the first episode, the others count on (default: %(default)s)")
    add("--concurrency", type=int, default=16, metavar="N", help="episodes at once (default: %(default)s)")
    add("--split", help="the environments' argument of that name, such as test")
    add("--env-kwargs", metavar="JSON", help="arguments of the environments: '{\"max_turns\": 4}'")
    add("--temperature", type=float, help="1 for a local model by default, the server's own for others")
    add("--max-tokens", type=int, default=1024, metavar="N", help="of one turn, at most (default: %(default)s)")
    add("--tools", choices=("text", "native"), default="text", help="how tools are called (default: %(default)s)")
    add("--stop", action="append", default=[], metavar="TEXT", help="ends a turn; may be given several times")
    add("--sampling-seed", type=int, metavar="N", help="for servers that take one; 0 for a local model by default")
    add("--extra-body", metavar="JSON", help="more fields of each request: '{\"top_p\": 0.9}'")
    add("--price", metavar="P,C[,K]", help="per million tokens read, written and, if it differs, read from a cache")
    add("--out", type=Path, metavar="DIR", help="keep episodes, rows, settings and provenance; go on from there")
    add("--retry-faults", action="store_true", help="play those episodes in --out again that ended in a fault")
    add("--min-success", type=float, metavar="X", help="exit code 1 if an environment's success is below, 0 to 1")
    add("--quiet", action="store_true", help="no progress")
    add("--json", action="store_true", help="print one JSON document")


def run(given: argparse.Namespace) -> int:
    """Evaluate.

    Raises:
        MistakeError: if an argument is wrong, or the folder holds another evaluation.
        UnavailableError: if the server refuses whatever it is asked, or no episode was without a fault.
    """
    kwargs = read_object("--env-kwargs", given.env_kwargs)
    kwargs |= {} if given.split is None else {"split": given.split}

    def plan_of(env_id: str) -> Plan:
        from turnenv.evaluation.playing import Plan

        return Plan(env_id, range(given.seed, given.seed + given.episodes), kwargs)

    return evaluate(given, plan_of)


def evaluate(given: argparse.Namespace, plan_of: Callable[[str], Plan], own_player: MakePlayer | None = None) -> int:
    """Evaluate by plans; raises as `run` does.

    Args:
        given: the parsed command line, as `add_options` made it.
        plan_of: from an id to its episodes.
        own_player: plays instead of what `--model` would name.
    """
    from turnenv.commands.evaluation_text import as_row, as_text
    from turnenv.net.chat import ChatError

    _check(given)
    ids = list(dict.fromkeys(map(resolve_id, given.ids)))
    player = own_player or make_player(given.model, _options(given))
    try:
        summaries = _play_all(given, [_checked(plan_of(env_id), given) for env_id in ids], player)
    except ChatError as error:
        raise UnavailableError(str(error)) from error
    except (ValueError, ModuleNotFoundError) as error:
        raise MistakeError(str(error)) from error
    rows = [as_row(summary) for summary in summaries]
    if given.json:
        print_json({"model": given.model, "rows": rows})
    else:
        print(as_text(summaries))
    if broken := next((summary for summary in summaries if not summary.episodes), None):
        raise UnavailableError(f"every episode of {broken.env} ended in a fault: {broken.first_fault}")
    least = given.min_success or 0.0
    return int(any(summary.success is None or summary.success.share < least for summary in summaries))


def _play_all(given: argparse.Namespace, plans: Sequence[Plan], player: MakePlayer) -> list[Summary]:
    from datetime import UTC, datetime

    from turnenv.commands.evaluation_text import as_row
    from turnenv.commands.progress import Progress
    from turnenv.evaluation.episode_file import EpisodeFile
    from turnenv.evaluation.folder import episodes_path, keep_settings, only_one_writer, write_json
    from turnenv.evaluation.playing import play
    from turnenv.evaluation.provenance import provenance, torch_device
    from turnenv.evaluation.summary import summarise

    began = datetime.now(UTC)
    with contextlib.ExitStack() as stack:
        folder = given.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(only_one_writer(folder))
        keep_settings(folder, _settings(given, plans))
        files = [EpisodeFile(episodes_path(folder, plan.env), drop_faults=given.retry_faults) for plan in plans]
        for file in files:
            stack.callback(file.close)
        done = sum(len(file.episodes) for file in files)
        if done:
            note(f"going on: {done} episodes are in {folder}")
        progress = stack.enter_context(Progress(sum(len(plan.seeds) for plan in plans), done, quiet=given.quiet))
        summaries = []
        for plan, file in zip(plans, files, strict=True):
            policy = player(_made(plan))
            episodes = play(plan, policy, given.concurrency, file, lambda episode: progress.finished(episode.faulted))
            summaries.append(summarise(plan.env, episodes))
        write_json(folder / "rows.json", [as_row(summary) for summary in summaries])
        record = provenance(torch_device() if _is_local(given.model) else "cpu", began).model_dump(mode="json")
        write_json(folder / "provenance.json", record)
        return summaries


def _made(plan: Plan) -> TextEnvironment:
    from turnenv.adapters import as_text_env

    return as_text_env(plan.env, **plan.kwargs)


def _checked(plan: Plan, given: argparse.Namespace) -> Plan:
    from turnenv.adapters import load_env
    from turnenv.core.arguments import check_arguments

    try:
        check_arguments(load_env(plan.env), plan.kwargs, "--env-kwargs")
    except ValueError as error:
        split = " (--split is the argument split)" if given.split else ""
        raise MistakeError(f"{error}{split}") from error
    return plan


def _check(given: argparse.Namespace) -> None:
    for name in ("episodes", "concurrency", "max_tokens"):
        if getattr(given, name) < 1:
            raise MistakeError(f"--{name.replace('_', '-')} must be at least 1; got {getattr(given, name)}")
    if given.seed < 0:
        raise MistakeError(f"--seed must not be negative; got {given.seed}")
    if given.min_success is not None and not 0.0 <= given.min_success <= 1.0:
        raise MistakeError(f"--min-success is a share from 0 to 1; got {given.min_success}")
    if given.retry_faults and given.out is None:
        raise MistakeError("--retry-faults needs --out, the folder with the episodes")


def _options(given: argparse.Namespace) -> PlayerOptions:
    return PlayerOptions(
        base_url=given.base_url,
        api_key=os.environ.get(given.api_key_env),
        concurrency=given.concurrency,
        tools=given.tools,
        temperature=given.temperature,
        max_tokens=given.max_tokens,
        stop=tuple(given.stop),
        sampling_seed=given.sampling_seed,
        prices=_prices(given.price),
        extra_body=read_object("--extra-body", given.extra_body) or None,
    )


def _prices(text: str | None) -> Prices | None:
    from turnenv.policies.chat_answer import Prices

    if text is None:
        return None
    try:
        return Prices(*map(float, text.split(",")))
    except (TypeError, ValueError) as error:
        raise MistakeError(f"--price takes two or three numbers, such as 0.15,0.6; got {text!r}") from error


def _settings(given: argparse.Namespace, plans: Sequence[Plan]) -> Mapping[str, Any]:
    """What decides the episodes; neither the key nor how many are played at once."""
    from turnenv.version import __version__

    names = ("model", "temperature", "max_tokens", "tools", "stop", "sampling_seed", "extra_body", "price")
    return {
        "turnenv": __version__,
        "environments": [
            {"id": plan.env, "kwargs": dict(plan.kwargs), "seeds": list(plan.seeds), "tasks": plan.tasks}
            for plan in plans
        ],
        "weights": _weights(given.model),
        "base_url": _address(given),
        **{name: getattr(given, name) for name in names},
    }


def _is_local(model: str) -> bool:
    return model not in ("random", "human", "scripted") and not model.startswith("openai:")


def _weights(model: str) -> str | None:
    from turnenv.policies.model_hash import hash_model

    return hash_model(model.removeprefix("vllm:")) if _is_local(model) else None


def _address(given: argparse.Namespace) -> str | None:
    """Where the server is, without credentials that the address may hold."""
    if not given.model.startswith("openai:"):
        return None
    import httpx

    from turnenv.net.chat import ChatServer

    try:
        url = httpx.URL(ChatServer(given.base_url).address)
    except httpx.InvalidURL as error:
        raise MistakeError(f"--base-url is not an address: {error}") from error
    return str(url.copy_with(username=None, password=None, query=None))
