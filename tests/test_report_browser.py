"""The viewer in a real browser: every key and control, links, filters, search, hostile texts, speed, accessibility."""

from __future__ import annotations

import re
import shutil
import statistics
from pathlib import Path

import pytest
from report_episodes import HOSTILE, axe_script, group, hostile_plays, many_plays, plays

import turnenv
from turnenv.report.elements import paragraph, title
from turnenv.report.page import Section
from turnenv.report.page import page as make_page

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright, for a browser's tests")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium, for a browser's tests"),
]
FLAGS = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update"
METHODS = [("grpo_or", {}), ("grpo_mr", {}), ("mt_grpo", {}), ("mt_grpo", {"lam": 0.5})]
FIRST = "#/e/mt_grpo-seed0-ab/s1.g0.m0/t1?a=grpo_mr&b=mt_grpo"
CACHE = Path(__file__).parents[1] / ".cache"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in FLAGS.split()])
        yield found
        found.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "page.html"
    sections = [Section("top", "", title("Does it?") + paragraph("Yes.")), Section("more", "More", paragraph("So."))]
    make_page("Small", plays(3), METHODS, sections).write(path)
    return path


@pytest.fixture
def opened(browser, request):
    """Opens a file at an address; fails at the end if the page asked for anything or raised an error."""
    asked, errors = [], []
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.on("request", lambda each: asked.append(each.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)

    def to(path, address=""):
        page.goto(f"file://{path}{address}")
        page.wait_for_selector("html[data-ready]")
        return page

    yield to
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert errors == []
    context.close()


def headline(page):
    page.wait_for_selector("#headline")
    return page.inner_text("#headline")


def address(page):
    return page.evaluate("location.hash")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(60)


def test_the_sentence_names_the_turn_and_who_credits_it(opened, small):
    page = opened(small, FIRST)
    assert headline(page) == "They disagree most at turn 2: GRPO-MR blames it (−0.13), MT-GRPO credits it (+1.02)."
    faulted = opened(small, FIRST.replace("m0/", "m3/"))
    assert headline(faulted).startswith("The infrastructure failed (no server)")
    same = opened(small, FIRST.replace("b=mt_grpo", "b=grpo_mr"))
    assert re.match(r"GRPO-MR at turn \d: ", headline(same))


def test_a_link_opened_cold_shows_that_turn_under_these_estimators(opened, small):
    page = opened(
        small, "#/e/mt_grpo-seed0-ab/s1.g1.m1/t2?a=mt_grpo%20%5Blam%3D0.5%5D&b=grpo_or&tint=right&f=outcome:success"
    )
    page.wait_for_selector("#turn-2.here")
    assert (
        page.evaluate("left.selectedOptions[0].text + ' ' + right.selectedOptions[0].text")
        == "MT-GRPO [lam=0.5] GRPO-OR"
    )
    assert page.is_checked("input[name=tint][value=right]")
    assert page.inner_text("#count") == "6 of 12 episodes"
    gone = opened(small, "#/e/nobody/s1.g0.m0/t1")
    gone.wait_for_selector("#episode .empty")
    assert "There is no episode nobody/s1.g0.m0 in this file" in gone.inner_text("#episode")


def test_keys_move_between_turns_episodes_and_members(opened, small):
    page = opened(small, FIRST)
    headline(page)
    press(page, "j")
    assert "/t2?" in address(page)
    press(page, "ArrowDown", "j")
    assert "/t3?" in address(page)
    press(page, "k", "ArrowUp")
    assert "/t1?" in address(page)
    press(page, "]")
    assert "s1.g0.m1/" in address(page)
    press(page, "[")
    assert "s1.g0.m0/" in address(page)
    before = address(page)
    press(page, "n")
    assert address(page) != before
    press(page, "p")
    assert address(page).split("/t")[0] == before.split("/t")[0]
    press(page, "ArrowRight", "ArrowLeft")
    assert address(page).split("/t")[0] == before.split("/t")[0]
    press(page, "d")
    assert page.locator("#strips .differ[aria-current]").count() == 2
    press(page, "D")
    press(page, "g")
    page.wait_for_selector("table.group")
    assert page.locator("table.group thead th").count() == 5
    press(page, "Escape")
    headline(page)
    press(page, "Escape")
    assert address(page).startswith("#/list")


def test_keys_change_what_is_shown(opened, small):
    page = opened(small, FIRST)
    headline(page)
    press(page, "t")
    page.wait_for_selector(".tokens .token")
    assert page.locator("#turn-1 .token.thick-4").count() == 1
    assert "2 tokens sampled and trained on" in page.inner_text("#turn-1 .tokens")
    press(page, "t")
    page.wait_for_selector(".tokens", state="detached")
    press(page, "c")
    assert page.evaluate("document.querySelector('#episode').classList.contains('no-parts')")
    press(page, "c", "x")
    assert page.evaluate("left.selectedOptions[0].text") == "MT-GRPO"
    for key, value in (("1", "reward"), ("2", "left"), ("3", "right")):
        press(page, key)
        assert page.is_checked(f"input[name=tint][value={value}]")
    press(page, "?")
    assert page.is_visible("#help")
    page.click("#help button")
    press(page, "/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("jj")
    assert page.input_value("#search") == "jj"
    press(page, "Escape", "f")
    assert page.evaluate("filters.open")
    press(page, "s")
    press(page, "y")
    page.locator("#say", has_text="Link copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").endswith(address(page))
    press(page, "?")
    page.uncheck("#single-keys")
    page.click("#help button")
    before = address(page)
    press(page, "j")
    assert address(page) == before


def test_a_branch_opens_what_if(opened, small):
    page = opened(small, "#/e/mt_grpo-seed0-ab/s1.g0.m0/t2?a=grpo_mr&b=mt_grpo")
    headline(page)
    press(page, "b")
    fork = page.locator("#turn-2 .fork[open]")
    assert "1 other continuation from here, mean outcome 0" in fork.inner_text()
    fork.locator("button").click()
    page.wait_for_url(re.compile("s1.g0.m2/t2"))
    assert "Branched off member 1 here" in page.inner_text("#turn-2")


def test_a_number_has_its_receipt_on_hover_focus_and_click(opened, small):
    page = opened(small, FIRST)
    headline(page)
    cell = page.locator("#turn-1 .pair .cell").nth(1)
    assert not cell.locator(".receipt").is_visible()
    cell.hover()
    text = cell.locator(".receipt").inner_text()
    assert "z of the reward of turn 1: 0 − group mean 0.667" in text
    assert "z of the outcome: 0.4 − group mean 0.467" in text
    assert "Recomputed by turnenv.credit on this recorded group." in text
    page.mouse.move(0, 0)
    reward = page.locator("#turn-2 .cell.reward")
    reward.locator("button").focus()
    assert "part" in reward.locator(".receipt").inner_text()
    page.keyboard.press("Enter")
    assert reward.locator("button").get_attribute("aria-expanded") == "true"
    assert page.locator("#turn-1 .pair .cell").nth(2).inner_text().startswith("truth")
    assert page.locator("#turn-2 .flag").inner_text() == "not a valid action"


def test_filters_sorting_and_search_agree_with_the_episodes(opened, small):
    page = opened(small, "#/list")
    assert page.inner_text("#count") == "12 episodes"
    page.click("#filter-button")
    for chip, count in (
        ("failed", None),
        ("fault", 3),
        ("turn_limit", 3),
        ("truncated", 3),
        ("has an invalid action", 9),
        ("differ in sign", None),
    ):
        button = page.locator("#chips .chip", has_text=re.compile(rf"^{chip}\d+$")).first
        shown = int(re.findall(r"\d+$", button.inner_text().replace("\n", ""))[0])
        assert count in (None, shown)
        button.click()
        assert page.inner_text("#count") == f"{shown} of 12 episodes"
        assert page.locator(".row").count() == shown
        page.click("#clear")
    page.select_option("#sort", "lowest")
    totals = [float(text) for text in page.locator(".row .sum b").all_inner_texts()]
    assert totals == sorted(totals)
    page.fill("#search", "NO SERVER")
    page.press("#search", "Enter")
    page.locator("#search-note", has_text=re.compile("^3 found$")).wait_for()
    assert page.locator(".row").count() == 3
    page.locator(".row").first.click()
    assert "no server" in headline(page)


def test_episodes_of_one_task_or_seed_are_one_press_or_one_word_away(opened, tmp_path):
    many = tmp_path / "many.html"
    make_page("Many", many_plays(400), METHODS).write(many)
    page = opened(many, "#/list?f=task:7&sort=order")
    assert page.inner_text("#count") == "8 of 400 episodes"
    page.click("#filter-button")
    box = page.get_by_label("Task", exact=True)
    assert box.get_attribute("placeholder") == "one of 50"
    box.fill("12")
    box.press("Enter")
    assert page.inner_text("#count") == "8 of 400 episodes"
    assert "f=task%3A12" in address(page)
    assert page.evaluate("document.activeElement.ariaLabel") == "Task"
    box.fill("no task")
    box.press("Enter")
    assert page.is_visible("#no-rows")
    page.locator("#chips .chip[aria-pressed=true]", has_text="no task").click()
    assert page.inner_text("#count") == "400 episodes"
    page.locator(".row").nth(3).click()
    headline(page)
    page.locator("#episode .facts button", has_text=re.compile(r"^seed 0$")).click()
    assert page.inner_text("#count") == "8 of 400 episodes"
    assert page.inner_text("#say") == "The list holds the 8 episodes of seed 0."
    page.locator("#episode .facts button", has_text=re.compile(r"^task 0$")).click()
    assert "f=task%3A0" in address(page)
    assert page.locator(".row").count() == 8


def test_a_filter_stays_focused_when_it_is_pressed(opened, small):
    page = opened(small, "#/list")
    page.click("#filter-button")
    page.locator("#chips .chip", has_text=re.compile(r"^truncated\d+$")).focus()
    page.keyboard.press("Enter")
    assert page.inner_text("#count") == "3 of 12 episodes"
    assert page.evaluate("document.activeElement.dataset.key") == "cut:truncated"
    page.keyboard.press("Enter")
    assert page.inner_text("#count") == "12 episodes"


def test_the_report_is_whole_without_javascript(browser, small):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"file://{small}")
    assert page.is_visible("text=Does it?")
    assert "Looking at episodes needs JavaScript" in page.inner_text("body")
    assert not page.is_visible("#viewer")
    assert not page.is_visible("text=Theme")
    context.close()


def test_tabs_and_theme(opened, small):
    page = opened(small)
    assert page.is_visible("h1")
    page.click("text=Episodes")
    page.wait_for_selector(".row")
    page.select_option("#theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 18, 18)"
    page.click("nav.tabs >> text=Report")
    page.wait_for_selector("h1")


def test_hostile_texts_are_shown_as_texts(opened, tmp_path):
    path = tmp_path / "hostile.html"
    make_page(HOSTILE[0], hostile_plays(), METHODS, [Section("top", "", title(HOSTILE[1]))]).write(path)
    page = opened(path)
    assert HOSTILE[1].replace("-", "‑") in page.inner_text("h1")
    for number, text in enumerate(HOSTILE):
        page = opened(path, f"#/e/hostile/s1.g0.m{number}/t1?a=grpo_mr&b=mt_grpo")
        headline(page)
        press(page, "t", "t", "g", "g")
        shown = page.text_content("#turn-1 .said-by-agent .said")
        if text.isascii() and text.isprintable() and len(text) < 4000:
            assert shown == text
        assert page.title() != "owned"
        assert page.evaluate("document.images.length + document.querySelectorAll('textarea').length") == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.inner_text("#turn-1 .said-by-agent .more") == "show all 1,000,000 characters"
    press(page, "e")
    assert len(page.text_content("#turn-1 .said-by-agent .said")) == 1_000_000
    shown = opened(path, "#/e/hostile/s1.g0.m3/t1").inner_text("#turn-1 .said-by-agent .said")
    assert "\\u202eright to left\\u202c \\u200bzero\\u200b \\ufeffbom" in shown
    shown = opened(path, "#/e/hostile/s1.g0.m5/t1").inner_text("#turn-1 .said-by-agent .said")
    assert shown == "lone \\ud800 surrogate \\udfff"


def test_ten_thousand_episodes_are_fluid(opened, tmp_path):
    path = tmp_path / "many.html"
    made = make_page("Many", many_plays(10_000), METHODS)
    made.write(path)
    assert made.packed.count == 10_000
    assert not made.packed.left_out
    assert path.stat().st_size <= 15_000_000
    page = opened(path)
    page.wait_for_selector(".row")
    usable = page.evaluate("performance.now()")
    jump = """async (number) => {
      const began = performance.now();
      const id = 's' + (1 + number) + '.g' + number + '.m3';
      location.hash = '#/e/run/' + id + '/t1?a=grpo_mr&b=mt_grpo';
      const shown = () => document.querySelector('.facts button')?.textContent === 'task ' + number;
      while (!shown()) await new Promise(requestAnimationFrame);
      return performance.now() - began;
    }"""
    jumps = [page.evaluate(jump, number) for number in range(3, 1250, 61)]
    middle = statistics.median(jumps)
    print(f"{path.stat().st_size / 1e6:.1f} MB, usable {usable:.0f} ms, jumps {middle:.0f} (most {max(jumps):.0f}) ms")
    assert usable <= 2000
    assert middle <= 100
    assert page.locator(".row").count() < 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(browser, small, scheme, width):
    axe = axe_script(CACHE)
    if axe is None:
        pytest.skip("npm cannot fetch axe-core here")
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    for place in ("", "#/list", FIRST, FIRST.replace("#/e", "#/g")):
        page.goto("about:blank")
        page.goto(f"file://{small}{place}")
        page.wait_for_selector("html[data-ready]")
        page.wait_for_timeout(300)
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        grave = [
            (each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in ("serious", "critical")
        ]
        assert grave == [], place
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
    context.close()


def test_a_notebooks_frame_shows_episodes(browser):
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(f"<body>{turnenv.show([group()], estimators=['grpo_mr', 'mt_grpo'])._repr_html_()}")
    frame = page.frame_locator("iframe")
    frame.locator(".row").first.click()
    frame.locator("#headline").wait_for()
    frame.locator("#turn-3.here").press("k")
    frame.locator("#turn-2.here").wait_for()
    frame.locator("#turn-2").press("t")
    frame.locator(".tokens").first.wait_for()
    assert errors == []
    page.close()


def test_a_printed_episode_has_its_numbers_and_no_controls(opened, small):
    page = opened(small, FIRST)
    headline(page)
    page.emulate_media(media="print")
    assert not page.is_visible(".bar")
    assert not page.is_visible("#side")
    assert page.is_visible("#turn-3 .pair .cell b")
    pdf = page.pdf()
    assert 1 <= len(re.findall(rb"/Type\s*/Page[^s]", pdf)) <= 4
