"""The report's text: a pure function of the lock and of what lies beside it."""

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from hubexpert.figures import draw
from hubexpert.lock import Lock, read_lock, write_lock
from hubexpert.records import Data, DataMap, DatasetUse, MethodReport, Spoken
from hubexpert.report import Beside, beside, render_report, write_report
from hubexpert.report.pictures import pictures
from hubexpert.workspace import Workspace
from tests.commands import run
from tests.locks import CHOSEN, POOL, a_lock, source
from tests.report.making import a_full_lock, a_refused_row, all_beside, some_speech

SECTIONS = ["systems", "leaderboard", "experts", "routing", "tokens", "data", "knowledge", "refused", "provenance"]


def page(lock: Lock | None = None, known: Beside | None = None, drawn: Mapping[str, str] | None = None) -> str:
    return render_report(lock or a_full_lock(), known or all_beside(), drawn or {})


def rows(html: str, table: str) -> list[list[str]]:
    """The cells' texts of a table's body."""
    body = re.search(rf'<table id="{table}".*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    assert body is not None
    found = re.findall(r"<tr[^>]*>(.*?)</tr>", body.group(1), re.DOTALL)
    return [
        [re.sub("<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)] for row in found
    ]


def test_equal_locks_give_equal_bytes_with_the_cards_own_figures(tmp_path: Path) -> None:
    write_lock(tmp_path / "hubexpert.lock", a_full_lock())
    for name in ("one.html", "two.html"):
        write_report(read_lock(tmp_path / "hubexpert.lock"), all_beside(), tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    drawn = pictures(a_full_lock(), all_beside())
    assert set(drawn) == {*draw(a_full_lock(), tmp_path / "figures"), "map.png"}
    html = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert [html.count(f'<img src="{address}" alt="') for address in drawn.values()] == [1] * 5


def test_every_section_is_there_once_under_its_heading_in_order() -> None:
    html = page()
    assert re.findall(r'<h2 id="([a-z]+)">', html) == SECTIONS
    assert re.findall(r'<li><a href="#([a-z]+)">', html) == SECTIONS
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_verdict_and_its_whole_sentence_stand_on_top() -> None:
    long = "Do not ship: " + ", ".join(f"+{i}.0 points over number {i}" for i in range(30)) + "."
    report = a_lock().report.model_copy(update={"verdict": "do-not-ship", "sentence": long})
    html = page(a_lock(report=report))
    assert html.index("Verdict: do-not-ship") < html.index(long) < html.index("<nav")


def test_every_number_of_the_comparison_stands_in_a_table() -> None:
    lock = a_full_lock()
    found = {row[0]: row for row in rows(page(lock), "systems-table")}
    for system in lock.report.systems:
        assert found[system.name][2] == f"{100 * system.value:.1f}"
        assert found[system.name][3] == f"{100 * system.low:.1f} to {100 * system.high:.1f}"
    assert found["fresh-lora"][4] == "+10.0 [+2.5, +17.5]"


def test_the_leaderboard_has_every_scored_adapter_in_the_order_of_the_selection() -> None:
    found = rows(page(), "pool-table")
    assert [(row[0], row[1], row[2]) for row in found] == [
        (str(place), repo, "expert" if repo in CHOSEN else "") for place, repo in enumerate(POOL, start=1)
    ]
    assert found[0][3:6] == ["62.5", "52.5 to 72.5", "1.8"]


def test_an_adapter_that_was_kept_from_the_selection_comes_last_without_a_place() -> None:
    lock = a_full_lock()
    fewer = lock.selection.model_copy(update={"pool": lock.selection.pool[1:]})
    html = page(lock.model_copy(update={"selection": fewer}))
    assert rows(html, "pool-table")[-1][:2] == ["-", POOL[0]]


def test_experts_contributions_and_shares_stand_in_tables() -> None:
    lock, html = a_full_lock(), page()
    assert [row[1:3] for row in rows(html, "experts-table")] == [
        [expert.source.repo, f"{100 * expert.share:.0f} %"] for expert in lock.build.experts
    ]
    assert rows(html, "contributions-table")[2][1:] == [CHOSEN[2], "+20.0", "+15.0 to +25.0", "+1.0", "-10.0 to +12.0"]
    first = rows(html, "routing-1")  # q_proj: in its first layer the three are even
    assert first[0] == ["0", "33", "33", "33"]
    assert first[11] == ["11", "12", "33", "55"]
    assert len(first) == 12


def test_tokens_stand_on_colours_and_in_a_table() -> None:
    html = page()
    assert rows(html, "tokens-1")[0] == ["Question", "1 science-lora", "70", "15", "15"]
    assert re.search(r'<span class="c\d+"> plants</span>', html)
    assert "Example 1, prompt" in html


def test_of_a_long_example_the_table_has_the_end() -> None:
    shares = ((0.5, 0.3, 0.2),) * 1000
    one = some_speech()[0].model_copy(update={"tokens": tuple(f"t{i}" for i in range(1000)), "shares": shares})
    found = rows(page(known=Beside(spoken=(one,))), "tokens-1")
    assert (found[0][0], found[-1][0]) == ("t700", "t999")


def test_the_data_and_the_passages_are_told() -> None:
    html = page()
    assert ["open/rows", "cc-by-4.0", "500", "7", "20 by select"] in rows(html, "datasets-table")
    assert ["open/gone", "gone"] in rows(html, "unread-table")
    assert ["gold side", "what the gold rationale finds: a bound for any reranker", "66.0", "58.0 to 74.0"] in rows(
        html, "passages-table"
    )
    assert "2,400 passages" in html
    assert "(cc-by-sa-4.0) and files that are not published here: ./facts.txt" in html


def test_all_refused_adapters_and_rows_stand_there_with_code_and_reason() -> None:
    html = page()
    assert len(rows(html, "refused-table")) == 6
    assert ["odd/adapter-9", "no-op", "all of its B matrices are zero"] in rows(html, "refused-table")
    assert ["leak-exact", "before any method", "open/rows", "3"] in rows(html, "rows-table")
    assert ["near-duplicate", "select", "all", "7"] in rows(html, "rows-table")
    assert ["leak-near", "open/rows", "7", "it stands among the shots", "Which gas do plants take in?"] in rows(
        html, "samples-table"
    )


def test_every_part_is_linked_at_its_commit() -> None:
    lock, html = a_full_lock(), page()
    for part in (lock.base, *(expert.source for expert in lock.build.experts)):
        assert f'<a href="https://hub.example/{part.repo}/tree/{part.revision}"' in html
    assert 'href="https://hub.example/datasets/open/rows/tree/' in html
    assert "task:\n  name: science-qa" in html


def test_without_what_lies_beside_the_lock_each_section_says_how_to_get_it() -> None:
    html = page(known=Beside())
    for command in ("hubexpert explain", "hubexpert data --figure map.png", "data.json"):
        assert command in html
    bare = page(a_lock(), Beside())
    assert "The shots alone were trained on" in bare
    assert 'id="knowledge"' not in bare
    report = a_lock().report.model_copy(update={"contributions": None})
    assert "<code>evaluate.contributions</code>" in page(a_lock(report=report))


def test_a_path_of_this_machine_is_not_on_the_page() -> None:
    folder = "/home/someone/secret-project/base-135m"
    html = page(a_lock(base=source(folder)))
    assert "someone" not in html
    assert "base-135m" in html


class Outline(HTMLParser):
    """Elements that are open, to see that all are closed in order, and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in ("meta", "link", "img", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("known", [all_beside(), Beside()], ids=["all", "nothing"])
def test_elements_are_closed_in_order_and_ids_are_unique(known: Beside) -> None:
    outline = Outline()
    outline.feed(page(known=known))
    assert not outline.open
    assert len(set(outline.ids)) == len(outline.ids)


def test_only_what_is_of_this_lock_is_taken_from_the_workspace(tmp_path: Path) -> None:
    """Tokens of other weights, a map or rows of other data, and what does not fit the experts are left out."""
    lock, workspace = a_full_lock(), Workspace(tmp_path)
    assert beside(lock, workspace) == Beside()
    assert lock.data is not None
    placed = DataMap(digest=lock.data.digest, share=0.5, shots=(), taken=(), others=())
    workspace.write("map", "", placed)
    workspace.write("spoken", "", Spoken(weights=lock.build.files, examples=some_speech()))
    found = beside(lock, workspace)
    assert (found.map, found.spoken) == (placed, some_speech())
    workspace.write("map", "", placed.model_copy(update={"digest": "00"}))
    workspace.write("spoken", "", Spoken(weights={"router.safetensors": "00"}, examples=some_speech()))
    assert beside(lock, workspace) == Beside()
    workspace.write("spoken", "", Spoken(weights=lock.build.files, examples=some_speech(experts=2)))
    assert beside(lock, workspace) == Beside()


def test_refused_rows_come_from_the_data_of_this_lock(tmp_path: Path) -> None:
    from hubexpert.lock import locked_data

    row, workspace = a_refused_row(), Workspace(tmp_path)
    use = DatasetUse(source=source("open/rows"), config="default", split="train", read=9)
    method = MethodReport(method="select", considered=9, kept=0, refused={"leak-near": 1}, samples=(row,))
    data = Data(methods=(method,), datasets=(use,), samples=(row,))
    workspace.write("data", "", data)
    lock = a_lock()
    assert beside(lock.model_copy(update={"data": locked_data(data)}), workspace).rows == (row, row)
    assert beside(a_full_lock(), workspace).rows == ()


def a_project(folder: Path) -> str:
    lock = a_lock()
    write_lock(folder / "hubexpert.lock", lock)
    (folder / "hubexpert.yaml").write_text(json.dumps(lock.recipe))
    return str(folder / "hubexpert.yaml")


def test_the_command_writes_the_page_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = a_project(tmp_path)
    assert run("report", "--recipe", recipe) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(tmp_path / ".hubexpert/report.html")
    assert "hubexpert explain" in told.err
    assert "<!doctype html>" in (tmp_path / ".hubexpert/report.html").read_text(encoding="utf-8")
    assert run("report", "--recipe", recipe, "--output", str(tmp_path / "new/page.html"), "--json", "--quiet") == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == {"report": str(tmp_path / "new/page.html"), "spoken": 0, "map": False}
    assert not told.err
    assert (tmp_path / "new/page.html").read_bytes() == (tmp_path / ".hubexpert/report.html").read_bytes()


def test_without_a_lock_it_says_what_to_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = a_project(tmp_path)
    (tmp_path / "hubexpert.lock").unlink()
    assert run("report", "--recipe", recipe) == 1
    assert "Fix: hubexpert run" in capsys.readouterr().err
