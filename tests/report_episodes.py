"""Episodes for tests of pages: groups whose members differ, faults, limits, branches, and hostile texts everywhere."""

from __future__ import annotations

import random
from pathlib import Path

from turnenv import End, Episode, Outcome, Turn
from turnenv.groups import Group, Member
from turnenv.report.plays import Play, Run, plays_of_groups

HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script></style></textarea><img src=x onerror=\"document.title='owned'\">",
    "{{ 7*7 }} {% raw %} ${7*7} `x` <!-- --> ]]>",
    "\u202eright to left\u202c \u200bzero\u200b \ufeffbom",
    "\x00\x1b[31mred\x07 \x9b",
    "lone \ud800 surrogate \udfff",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea e\u0301 \U0001f600",
    "x" * 1_000_000,
)


def episode(
    rewards: tuple[float, ...],
    outcome: float,
    *,
    end: End = End.ANSWERED,
    text: str = "look",
    said: str = "go",
    name: str = "part",
    task: int = 3,
) -> Episode:
    """An episode whose texts are all `text` or `said`."""
    turns = tuple(
        Turn(text, said, reward, {name: reward}, 2**63 + k, k != 1, (1, 2), (-0.1, -3.0), text)
        for k, reward in enumerate(rewards)
    )
    ended = Outcome(outcome, outcome > 0, end, {name: outcome}, text if end is End.FAULT else "")
    return Episode("turnenv/Test-v0", task, 7, turns, ended, text)


def group(number: int = 0, step: int = 1) -> Group:
    """Four members: at turn 2 of the first, trajectory-level and turn-level credit differ in sign."""
    members = (
        Member(episode((0.0, 1.0, 0.0), 0.4), (0.1, 0.9, -0.5), tokens=(("g", "o"),) * 3, truth=(0.0, 0.5, -0.1)),
        Member(episode((0.0, 0.0, 0.0), 1.0), (0.1, -0.9, 0.5), truth=(0.0, -0.5, 0.1)),
        Member(episode((2.0, 0.0), 0.0, end=End.TURN_LIMIT), (1.0, 0.5), parent=(0, 1), truth=(0.0, 0.1)),
        Member(episode((0.0,), 0.0, end=End.FAULT, text="no server"), (0.0,), trained=False, truth=(0.0,)),
    )
    return Group("mt_grpo-seed0-ab", step, number, "mt_grpo", {"lam": 0.5}, members)


def hostile_group() -> Group:
    """One member per hostile text, which is everything that can be a text."""
    members = [
        Member(
            episode((0.1, 0.2), float(n % 2), text=text, said=text, name=text[:200]),
            (0.5, -0.5),
            tokens=((text[:50],) * 2,) * 2,
        )
        for n, text in enumerate(HOSTILE)
    ]
    fault = Member(episode((0.0,), 0.0, end=End.FAULT, text=HOSTILE[0]), (0.0,))
    return Group("hostile", 1, 0, "mt_grpo", {}, (*members, fault))


def hostile_plays() -> list[Play]:
    """The hostile group, of a run with a hostile name."""
    return plays_of_groups(Run("hostile", HOSTILE[1], HOSTILE[0], HOSTILE[3]), [hostile_group()])


def plays(groups: int = 2) -> list[Play]:
    """Some groups of one run."""
    run = Run("mt_grpo-seed0-ab", "MT-GRPO, seed 0", "MT-GRPO", "0")
    return plays_of_groups(run, [group(number) for number in range(groups)])


def many_plays(count: int) -> list[Play]:
    """Prose that compresses as badly as real texts, in groups of eight."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=2 + n % 8)) for n in range(3000)]
    weights = [1 / (n + 1) for n in range(3000)]

    def prose(length: int) -> str:
        return " ".join(draw.choices(words, weights, k=length))

    def played(task: int) -> Member:
        turns = tuple(
            Turn(prose(40), prose(20), draw.choice((0.0, 0.1, 0.2)), {"part": 0.1}, draw.getrandbits(64), True)
            for _ in range(5)
        )
        ended = Outcome(draw.choice((0.0, 1.0)), draw.random() < 0.5, End.ANSWERED)
        return Member(
            Episode("turnenv/Test-v0", task, task, turns, ended, prose(10)), tuple(draw.gauss(0, 1) for _ in turns)
        )

    groups = [Group("run", 1 + n, n, "mt_grpo", {}, tuple(played(n) for _ in range(8))) for n in range(count // 8)]
    return plays_of_groups(Run("run", "run", "MT-GRPO", "0"), groups)


def axe_script(cache: Path) -> str | None:
    """The text of axe-core, fetched by npm into a folder that git ignores; None where it cannot be had."""
    import shutil
    import subprocess

    path = cache / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", "--silent", "--prefix", str(cache), "axe-core@4"], check=False, timeout=120)
    return path.read_text(encoding="utf-8") if path.exists() else None
