"""Which pages of the repository are pages of the site as well, and how their links lead there."""

import os
import re
import shutil
from pathlib import Path

from benchmarks.compare.cells import CELLS

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "turnenv" / "envs" / "pages"

FAMILIES = {
    f"turnenv/envs/pages/{page.name}": f"environments/{page.name}" for page in ENVIRONMENTS.glob("[A-Z]*[a-z].md")
}

EVIDENCE = "benchmarks/published/evidence"

CELL_PAGES = {f"{EVIDENCE}/{cell}/table.md": f"harness/evidence-{cell}-table.md" for cell in CELLS}
"""Of every cell that is planned; those that have not been run have no page."""

ROOM_PAGES = {
    "turnenv/envs/pages/README.md": "environments/index.md",
    "turnenv/envs/README.md": "environments/playing.md",
    **dict(sorted(FAMILIES.items())),
    "turnenv/adapters/README.md": "environments/any-text-environment.md",
    "turnenv/questions/README.md": "environments/questions.md",
    "turnenv/judges/README.md": "environments/judges.md",
    "turnenv/core/README.md": "environments/contract.md",
    "turnenv/training/README.md": "training/index.md",
    "turnenv/training/SETTINGS.md": "training/settings.md",
    "turnenv/policies/README.md": "training/policies.md",
    "turnenv/policies/TEMPLATES.md": "training/templates.md",
    "turnenv/credit/README.md": "training/credit.md",
    "benchmarks/README.md": "harness/index.md",
    "README.md": "harness/first-comparison.md",
    "turnenv/report/README.md": "harness/reports.md",
    "benchmarks/LOG.md": "harness/log.md",
    "benchmarks/published/lab/agreement.md": "harness/lab-agreement.md",
    f"{EVIDENCE}/summary.md": "harness/evidence-summary.md",
    **{source: target for source, target in CELL_PAGES.items() if (ROOT / source).exists()},
    "turnenv/README.md": "reference/rooms.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}
"""Page of the repository -> page of the site, in the order in which the site lists them."""

TITLES = {
    "turnenv/envs/README.md": "Play them",
    "turnenv/questions/README.md": "Where questions come from",
    **{
        f"{EVIDENCE}/{cell}/table.md": f"{plan.horizon}: {plan.start} start"
        + (f", {plan.rewards}" if plan.rewards != "right" else "")
        for cell, plan in CELLS.items()
    },
}
"""Titles that would stand twice in the site's table of contents."""

SECTIONS = {"README.md": "Compare methods"}
"""Pages of which the site has one section."""

_PICTURE = re.compile(r'<picture>\s*<source [^>]*srcset="([^"]+)">\s*<img alt="([^"]*)" src="([^"]+)">\s*</picture>')
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def copy_room_pages(site: Path) -> None:
    """Write the pages into the site's folder; one that has not changed is left alone, so that Sphinx need not read it.

    Raises:
        FileNotFoundError: if a page links to a file that is not there.
    """
    for source, target in ROOM_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source in SECTIONS:
            text = _section(text, SECTIONS[source])
        if source in TITLES:
            text = re.sub(r"\A# .*", f"# {TITLES[source]}", text)
        text = _LINK.sub(lambda link: _relink(link, Path(source), Path(target), site), text)  # noqa: B023 (used at once)
        text = _PICTURE.sub(lambda found: _for_both_themes(found, Path(source), Path(target), site), text)  # noqa: B023
        if target.endswith("/index.md"):
            text += _contents(target)
        path = site / target
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _contents(index: str) -> str:
    """The table of contents of a folder, hidden in its first page."""
    folder = Path(index).parent
    names = [Path(page).stem for page in ROOM_PAGES.values() if Path(page).parent == folder and page != index]
    return "\n".join(["", "```{toctree}", ":hidden:", "", *names, "```", ""])


def _for_both_themes(found: re.Match[str], source: Path, target: Path, site: Path) -> str:
    """A picture that GitHub switches by the reader's theme, as two that the site switches by its own."""
    dark, described, light = found.groups()
    shown = []
    for theme, address in (("light", light), ("dark", dark)):
        name = _copied(source.parent / address, target, site)
        shown.append(f"```{{image}} {name}\n:class: only-{theme}\n:alt: {described}\n```")
    return "\n\n".join(shown)


def _copied(picture: Path, target: Path, site: Path) -> str:
    """Put a picture beside the page that shows it; returns its name, which holds its folder's: several have a map."""
    name = "-".join(picture.parts[-2:])
    (site / target.parent).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / picture, site / target.parent / name)
    return name


def _title(source: str) -> str:
    """What the site calls a page."""
    first = (ROOT / source).read_text(encoding="utf-8").partition("\n")[0]
    return SECTIONS.get(source) or TITLES.get(source) or first.removeprefix("# ")


def _section(text: str, title: str) -> str:
    """One section of a page, as a page; its title is the section's."""
    _, found, rest = text.partition(f"\n## {title}\n")
    if not found:
        raise ValueError(f"README.md has no section {title!r}: name another in docs/room_pages.py")
    return f"# {title}\n{rest.partition(f'{chr(10)}## ')[0]}\n"


def _relink(link: re.Match[str], source: Path, target: Path, site: Path) -> str:
    """Rewrite a link so that it works on the site; a link to a file that is not on the site becomes plain text."""
    picture, words, address = link.groups()
    if "://" in address or address.startswith("#"):
        return link[0]
    name, _, anchor = address.partition("#")
    file = Path(os.path.normpath(source.parent / name)).as_posix()
    if not (ROOT / file).exists():
        raise FileNotFoundError(f"{source} links to {address}, and there is no {file}")
    if picture:
        return f"![{words}]({_copied(Path(file), target, site)})"
    if file not in ROOM_PAGES:
        return words
    there = Path(os.path.relpath(ROOM_PAGES[file], target.parent)).as_posix()
    if words == Path(name).name:
        words = _title(file)
    return f"[{words}]({there}{'#' + anchor if anchor else ''})"
