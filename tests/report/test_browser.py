"""The report in a browser: headless Chromium, without a network to speak of."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from markdown_it import MarkdownIt

from hubexpert.card import render_card
from hubexpert.report import render_report, write_report
from tests.locks import POOL
from tests.report.making import ENDPOINT, a_full_lock, all_beside, hostile
from tests.test_escape import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ALONE = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
PAPERS = ("https://arxiv.org/abs/2106.09685", "https://arxiv.org/abs/2408.15915")
TEXTS = [text for text in HOSTILE if text and "\ud800" not in text]  # a lone surrogate is no text in UTF-8


@dataclass
class Seen:
    """What a page did: requests, dialogs, and what the console and the policy say against it."""

    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium as it is installed here."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no chromium, chromium-browser or google-chrome is installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=list(ALONE))
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything on it, figures too."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(a_full_lock(), all_beside(), path)
    return path


def opened(browser: "Browser", path: Path, **context: Any) -> "tuple[Page, Seen]":
    """The page in a window of its own, and what it did while loading."""
    page, seen = browser.new_page(**context), Seen()
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))

    def dismiss(dialog: Any) -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', e => console.error(e.violatedDirective))"
    )
    page.goto(path.as_uri())
    return page, seen


@pytest.fixture
def page(browser: "Browser", report: Path) -> "Iterator[Page]":
    """The report in a wide window."""
    shown, _ = opened(browser, report, viewport={"width": 1400, "height": 900})
    yield shown
    shown.close()


def column(page: "Page", table: str, place: int) -> list[str]:
    """The texts of a column's cells that are shown, from above."""
    return [text.strip() for text in page.locator(f"#{table} tbody tr:visible > :nth-child({place})").all_inner_texts()]


def test_the_page_asks_for_nothing_and_the_console_is_silent(browser: "Browser", report: Path) -> None:
    shown, seen = opened(browser, report)
    shown.wait_for_load_state("networkidle")
    assert seen.requests == [report.as_uri()]
    assert seen.complaints == []
    assert shown.evaluate("Array.from(document.images).every(image => image.naturalWidth > 100)")
    shown.close()


def test_the_policy_forbids_what_is_not_ours(browser: "Browser", report: Path) -> None:
    """A script, a handler, a style and a picture that are put in afterwards neither run nor load."""
    shown, seen = opened(browser, report)
    shown.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = 1';
        document.body.append(script);
        document.body.insertAdjacentHTML('beforeend',
            '<img src="http://127.0.0.1:9/x.png" onerror="window.ran = 1"><p id="odd" style="color: red">');
    }""")
    shown.wait_for_load_state("networkidle")
    assert shown.evaluate("window.ran") is None
    assert shown.evaluate("document.querySelector('#odd').style.color") == ""
    assert {word for told in seen.complaints for word in re.findall(r"^(?:img|script|style)-src(?=-|$)", told)} == {
        "img-src", "script-src", "style-src",
    }  # fmt: skip
    assert not [url for url in seen.requests if url != report.as_uri() and not url.startswith("http://127.0.0.1:9/")]
    shown.close()


def test_a_click_on_a_heading_sorts_and_says_so(page: "Page") -> None:
    heading = page.locator("#pool-table th", has_text="perplexity")
    assert heading.get_attribute("aria-sort") is None
    assert page.locator("#pool-table th").first.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert page.locator("#pool-table th[aria-sort]").count() == 1
    assert column(page, "pool-table", 2) == list(POOL)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(page, "pool-table", 2) == list(reversed(POOL))


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_key_on_a_heading_sorts_too(page: "Page", key: str) -> None:
    """The heading is reached with Tab, and has a visible outline."""
    page.locator("#pool-table th button").first.focus()
    page.keyboard.press("Tab")
    focused = page.locator("#pool-table th button:focus")
    assert focused.inner_text().startswith("adapter")
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press(key)
    assert column(page, "pool-table", 2) == sorted(POOL)
    assert page.locator("#pool-table th", has_text="adapter").get_attribute("aria-sort") == "ascending"


def test_typing_in_the_box_filters_the_refused(page: "Page") -> None:
    box = page.get_by_label("Filter the refused adapters")
    box.fill("LICENSE odd")
    assert column(page, "refused-table", 2) == ["license-forbidden", "license-forbidden"]
    assert page.locator("[for='refused-table-filter']").last.inner_text() == "2 of 6 shown"
    box.fill("")
    assert len(column(page, "refused-table", 2)) == 6
    page.get_by_label("Filter the examples of refused rows").fill("plantes")
    assert column(page, "samples-table", 1) == ["language"]


def test_the_first_tab_leads_past_the_heading(page: "Page") -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the systems"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_landmarks_and_names_are_there(page: "Page") -> None:
    """Every figure has alt text, every table a caption, every box a label."""
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1
    assert page.evaluate("Array.from(document.images).every(image => image.alt.length > 40)")
    assert page.evaluate("Array.from(document.querySelectorAll('table')).every(table => table.caption)")
    assert page.evaluate("Array.from(document.querySelectorAll('input')).every(input => input.labels.length === 1)")
    assert page.get_by_role("region", name="The scored pool", exact=True).count() == 1


def test_dark_and_light_differ_and_can_be_read(browser: "Browser", report: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        shown, _ = opened(browser, report, color_scheme=scheme)
        colours[scheme] = shown.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        shown.close()
    light, dark = ([sum(map(int, re.findall(r"\d+", colour))) for colour in colours[s]] for s in ("light", "dark"))
    assert light[0] > 700 > 200 > light[1]
    assert dark[0] < 200 < 600 < dark[1]


@pytest.mark.parametrize("width", [360, 1400])
def test_only_wide_tables_scroll_sideways_and_in_their_own_box(browser: "Browser", report: Path, width: int) -> None:
    shown, _ = opened(browser, report, viewport={"width": width, "height": 800})
    shown.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    box = shown.locator("#pool-table").locator("..")
    assert box.evaluate("element => element.scrollWidth > element.clientWidth") == (width == 360)
    shown.close()


def test_without_scripts_the_tables_are_whole_and_have_no_idle_buttons(browser: "Browser", report: Path) -> None:
    shown, _ = opened(browser, report, java_script_enabled=False)
    assert column(shown, "pool-table", 2) == list(POOL)
    assert shown.locator("button").count() == 0
    assert shown.locator("input:visible").count() == 0
    shown.close()


def test_on_paper_everything_is_shown_within_the_width_and_navigation_is_gone(page: "Page") -> None:
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 960})
    assert page.evaluate("document.documentElement.scrollWidth") == 680
    assert page.locator("nav").is_hidden()
    assert page.locator("#routing-1").is_visible()
    assert page.locator("#refused-table").locator("..").evaluate("e => getComputedStyle(e).maxHeight") == "none"


def test_strangers_text_everywhere_does_nothing(browser: "Browser", tmp_path: Path) -> None:
    """At least 60 hostile texts in every place at once: no script, dialog, request, element, or link of theirs."""
    assert len(set(TEXTS)) >= 60
    pages = {}
    # line breaks stay, they show in the tokens; so does what makes a name one of a folder, which is not published
    letters = [re.sub(r"[^\n~]", "a ", text) + str(i) for i, text in enumerate(TEXTS)]
    for name, texts in {"hostile": TEXTS, "harmless": letters}.items():
        pages[name] = tmp_path / f"{name}.html"
        pages[name].write_text(render_report(*hostile(texts), {}), encoding="utf-8")
    census = {}
    for name, path in pages.items():
        shown, seen = opened(browser, path, viewport={"width": 360, "height": 800})
        shown.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        for button in shown.locator("th button").all()[:3]:
            button.click()
        shown.wait_for_load_state("networkidle")
        assert shown.evaluate("[window.ran, window.name]") == [None, ""]
        assert (seen.dialogs, seen.complaints, seen.requests) == ([], [], [path.as_uri()])
        assert shown.evaluate("document.documentElement.scrollWidth") == 360
        for address in shown.evaluate("Array.from(document.querySelectorAll('a'), a => a.getAttribute('href'))"):
            assert address.startswith((f"{ENDPOINT}/", "#")) or address in PAPERS, address
        census[name] = shown.evaluate("""() => {
            const counted = {};
            for (const element of document.querySelectorAll('*:not(a):not(bdi)'))
                for (const part of [element.tagName, ...Array.from(element.attributes, a => '@' + a.name)])
                    counted[part] = (counted[part] ?? 0) + 1;
            return counted;
        }""")
        shown.close()
    assert census["hostile"] == census["harmless"]
    assert not any(part.startswith("@on") for part in census["hostile"])


def test_a_card_of_strangers_text_does_nothing_either(browser: "Browser", tmp_path: Path) -> None:
    """As a renderer shows it that lets HTML through, and without any policy: the escapes alone hold."""
    path, (lock, _) = tmp_path / "card.html", hostile(TEXTS)
    head, _, body = render_card(lock, repo="tester/it", drawn=()).partition("\n---\n\n")
    assert yaml.safe_load(head.removeprefix("---\n"))["library_name"] == "peft"
    path.write_text(MarkdownIt("commonmark").enable("table").render(body), encoding="utf-8")
    shown, seen = opened(browser, path)
    shown.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    shown.wait_for_load_state("networkidle")
    assert shown.evaluate("[window.ran, window.name]") == [None, ""]
    assert (seen.dialogs, seen.complaints, seen.requests) == ([], [], [path.as_uri()])
    for address in shown.evaluate("Array.from(document.querySelectorAll('a'), a => a.getAttribute('href'))"):
        assert address.startswith((f"{ENDPOINT}/", "https://arxiv.org/abs/")), address
    tags = set(shown.evaluate("Array.from(document.body.querySelectorAll('*'), e => e.tagName.toLowerCase())"))
    assert not tags & {"script", "img", "svg", "style", "iframe", "form", "input", "link", "object", "embed", "base"}
    names = shown.evaluate("Array.from(document.querySelectorAll('*'), e => e.getAttributeNames()).flat()")
    assert set(names) <= {"href", "class", "style", "open"}  # the renderer's own, and the folds opened above
    shown.close()


def test_nothing_invisible_or_endless_is_on_the_page_and_templates_stay_text() -> None:
    html = render_report(*hostile(TEXTS), {})
    assert all(character.isprintable() or character == "\n" for character in html)
    flowing = re.sub(r"<pre.*?</pre>|<div class=\"tokens.*?</div>", "", html, flags=re.DOTALL)
    assert "x" * 299 in flowing
    assert "x" * 300 not in flowing
    assert "{{ 7 * 7 }} {% for x in y %}" in html
