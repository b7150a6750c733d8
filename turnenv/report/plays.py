"""Plays: episodes and where they come from, as the viewer lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnenv.groups import Group, Member
from turnenv.types import Episode

HELD_OUT = "held-out"


@dataclass(frozen=True, slots=True)
class Run:
    """Who played.

    Attributes:
        id: unique, and stable from report to report.
        title: what the viewer calls it.
        method: the estimator that it was trained with; "" if unknown.
        seed: of the run; "" if it has none.
    """

    id: str
    title: str
    method: str = ""
    seed: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """An episode, and where it comes from.

    Attributes:
        id: unique in a page; links hold it, so that it must be the same in the next report.
        run: who played.
        played: what for: "training, step 12" or "held-out".
        group: plays with the same group are shown side by side.
        group_title: what the viewer calls that group.
        compared: whether the group was compared by an estimator, so that advantages mean something.
        number: of the member in its group, from 0 on; -1 if it has none.
        member: the episode, its advantages as used and its tokens.
        estimator: what made these advantages, with its options; "" if there are none.
    """

    id: str
    run: Run
    played: str
    group: str
    group_title: str
    compared: bool
    number: int
    member: Member
    estimator: str = ""

    @property
    def episode(self) -> Episode:
        """The episode itself."""
        return self.member.episode


def plays_of_groups(run: Run, groups: Iterable[Group]) -> list[Play]:
    """The members of recorded groups; a group is known by its run, step and number."""
    plays = []
    for group in groups:
        key = f"{run.id}/s{group.step}.g{group.number}"
        title = f"{run.title}, step {group.step}, task {group.members[0].episode.task}" if group.members else ""
        used = named(group.estimator, group.options)
        plays += [
            Play(f"{key}.m{number}", run, f"training, step {group.step}", key, title, True, number, member, used)
            for number, member in enumerate(group.members)
        ]
    return plays


def plays_of_held_out(run: Run, episodes: Iterable[Episode]) -> list[Play]:
    """Episodes played to evaluate; those of other runs on the same task and seed are shown beside them."""
    plays: dict[str, Play] = {}
    for episode in episodes:
        key = f"{episode.env_id}/{episode.seed}.{episode.task}"
        title = f"{episode.env_id}, task {episode.task}, seed {episode.seed}"
        same = f"{run.id}/{episode.seed}.{episode.task}"
        name = same if same not in plays else f"{same}.{len(plays)}"
        plays[name] = Play(name, run, HELD_OUT, f"{HELD_OUT}/{key}", title, False, -1, Member(episode))
    return list(plays.values())


def plays_of_episodes(episodes: Sequence[Episode]) -> list[Play]:
    """Any episodes; those of one task and seed, if there are several, are a group that estimators can compare."""
    together: dict[tuple[str, int, int | None], list[Episode]] = {}
    for episode in episodes:
        together.setdefault((episode.env_id, episode.task, episode.seed), []).append(episode)
    plays = []
    for (env_id, task, seed), members in together.items():
        short = env_id.removeprefix("turnenv/").removesuffix("-v0")
        run, key, several = Run(env_id, short), f"{env_id}/{seed}.{task}", len(members) > 1
        title = f"task {task}, seed {seed}"
        plays += [
            Play(f"{key}.m{number}", run, "played", key, title, several, number if several else -1, Member(episode))
            for number, episode in enumerate(members)
        ]
    return plays


def named(estimator: str, options: Mapping[str, Any]) -> str:
    """`mt_grpo` or `mt_grpo [lam=0.2]`."""
    given = ", ".join(f"{name}={value}" for name, value in sorted(options.items()))
    return f"{estimator} [{given}]" if given else estimator
