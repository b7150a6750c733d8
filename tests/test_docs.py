"""The code on every page runs and prints what the page says; commands and links on pages lead somewhere."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import gymnasium
import page_code
import pytest

from turnenv.commands.main import make_parser

ROOT = page_code.ROOT
#: page -> how many of its blocks run, and how many say what they need, so that none is lost in silence
PAGES = {
    "README.md": (1, 1),
    "turnenv/envs/README.md": (3, 0),
    "turnenv/core/README.md": (1, 0),
    "turnenv/adapters/README.md": (1, 0),
    "turnenv/policies/README.md": (1, 1),
    "turnenv/credit/README.md": (1, 0),
    "turnenv/report/README.md": (2, 0),
    "turnenv/training/README.md": (0, 1),
    "docs/concepts.md": (3, 0),
    "docs/start.md": (4, 0),
    "docs/tutorials/evaluate-a-hosted-model.md": (5, 1),
    "docs/tutorials/own-environment.md": (16, 0),
    "docs/tutorials/own-estimator.md": (7, 0),
    "docs/tutorials/read-a-report.md": (2, 0),
    "docs/tutorials/train-on-one-gpu.md": (1, 0),
}
OTHERS = [
    page
    for page in subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    if page not in PAGES
]
#: they train, or import TRL
SLOW = {"docs/tutorials/read-a-report.md", "docs/tutorials/train-on-one-gpu.md"}


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """The working directory of a page, importable; what the page imports and registers is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(gymnasium.registry)
    yield tmp_path
    for name in set(gymnasium.registry) - known:
        del gymnasium.registry[name]
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW)) for page in PAGES])
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page, empty_folder):
    if "agents/nano" in read(page) or "python -m benchmarks" in read(page):  # the default model of a clone
        (empty_folder / "agents").symlink_to(ROOT / "agents")
    ran = left_out = 0
    for example in page_code.examples(ROOT / page):
        try:
            example.evaluate()
            ran += 1
        except page_code.NotRunError:
            left_out += 1
    assert (ran, left_out) == PAGES[page]


@pytest.mark.parametrize("page", OTHERS)
def test_a_page_without_code_has_none(page):
    generated = page.startswith("turnenv/envs/pages/")  # test_pages.py runs these
    assert generated or not page_code.examples(ROOT / page), f"{page} has code: add it to PAGES"


def commands_of_turnenv(page):
    blocks = re.findall(r"```(?:bash|console)\n(.*?)```", read(page), re.DOTALL)
    lines = [line.removeprefix("$ ") for line in "\n".join(blocks).replace("\\\n", " ").splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if re.match(r"turnenv |accelerate launch", line)]
    return [line[line.index("turnenv") + 1 :] for line in words]


def test_the_pages_commands_are_commands_with_arguments_that_they_take():
    found = [command for page in (*PAGES, *OTHERS) for command in commands_of_turnenv(page)]
    assert len(found) >= 8
    for command in found:
        given, unknown = make_parser()[0].parse_known_args(command)
        assert given.command == command[0]
        assert not unknown or command[0] == "train", command


def anchors(page):
    titles = re.findall(r"^#+ (.*)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [page for page in (*PAGES, *OTHERS) if not page.startswith("docs/")])
def test_the_links_of_a_page_lead_somewhere(page):
    """Sphinx checks those of `docs/`, some of whose targets it makes."""
    for link in re.findall(r"\]\(([^)]+)\)", read(page)):
        if "://" not in link:
            target, _, anchor = link.partition("#")
            path = (ROOT / page).parent / target if target else ROOT / page
            assert path.exists(), f"{page} links to {link}"
            assert not anchor or path.suffix != ".md" or anchor in anchors(path), f"{page} links to {link}"


def test_every_page_of_a_room_is_on_the_site(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from room_pages import ROOM_PAGES

    assert set(ROOM_PAGES) == {page for page in (*PAGES, *OTHERS) if not page.startswith("docs/")}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages of the rooms, as Sphinx is given them."""
    sys.path.insert(0, str(ROOT / "docs"))
    from room_pages import copy_room_pages

    folder = tmp_path_factory.mktemp("site")
    copy_room_pages(folder)
    sys.path.remove(str(ROOT / "docs"))
    return folder


def test_two_pictures_of_one_name_stay_two_on_the_site(site):
    page = (site / "harness" / "index.md").read_text(encoding="utf-8")
    maps = [name for name in re.findall(r"{image} (\S+)", page) if name.endswith("map-light.svg")]
    published = [ROOT / "benchmarks" / "published" / part / "map-light.svg" for part in ("evidence", "lab")]
    assert [(site / "harness" / name).read_bytes() for name in maps] == [path.read_bytes() for path in published]


def test_the_site_lists_the_pages_of_a_folder_in_the_order_in_which_one_reads_them(site):
    page = (site / "environments" / "index.md").read_text(encoding="utf-8")
    listed = page.partition("{toctree}")[2].split()
    assert listed[1:3] == ["playing", "BlocksArm"]
    assert listed[-2:] == ["contract", "```"]


def test_no_two_pages_of_the_site_have_one_title_and_no_link_shows_a_file_name(site):
    texts = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.md")}
    titles = [text.partition("\n")[0] for text in texts.values()]
    assert sorted(titles) == sorted(set(titles))
    assert "# TriviaSearch, 2 turns: knowing start" in titles
    for page, text in texts.items():
        assert not re.findall(r"\[[A-Z]+\.md\]\(", text), page


def test_the_example_report_is_made_of_published_rows_and_whole_groups(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    from example_report import GROUPS, PAGE, write_example

    write_example(tmp_path)
    text = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert "Episodes <small>480</small>" in text
    assert ">Paired differences</h2>" in text
    assert GROUPS.stat().st_size <= 300_000
    assert f'href="../{PAGE}"' in read("docs/tutorials/read-a-report.md")


def test_a_page_that_promises_something_else_fails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Path(tmp_path, "page.md")
    for code in ('```python\nprint("a")\n#> b\n```\n', "```console\n$ echo a\nb\n```\n"):
        page.write_text(code, encoding="utf-8")
        (example,) = page_code.examples(page)
        with pytest.raises(AssertionError, match="promised"):
            example.evaluate()


def test_the_readme_is_short_and_clones_before_it_compares():
    lines = read("README.md").splitlines()
    assert len(lines) <= 130
    compare = next(number for number, line in enumerate(lines) if line.startswith("make compare"))
    assert any(line.startswith("git clone ") for line in lines[:compare])
