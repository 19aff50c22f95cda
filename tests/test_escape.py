"""Strangers' text stays text, whatever renders the card."""

import re

import pytest
from markdown_it import MarkdownIt

from hubexpert.escape import clean, code, fence, link, plain, prose, shown_name
from hubexpert.records import Source

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<!-- hidden",
    "</details><h1>owned</h1>",
    "</td></tr></table>",
    "<svg/onload=alert(1)>",
    "<style>*{display:none}</style>",
    "&lt;b&gt; &#60;script&#62;",
    "<https://evil.example>",
    "<someone@evil.example>",
    "[click](https://evil.example)",
    "[click](javascript:alert(1))",
    "![pixel](https://evil.example/pixel.png)",
    "[ref][1]\n\n[1]: https://evil.example",
    "https://evil.example/path",
    "HTTPS://EVIL.EXAMPLE",
    "www.evil.example",
    "mailto:someone@evil.example",
    "someone@evil.example",
    "@everyone",
    "a | b | c",
    "a \\| b",
    "|---|---|",
    "`code` and ``more``",
    "`unclosed",
    "\\`escaped",
    "**bold** __bold__ *em* _em_ ~~gone~~",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "12) item",
    "> quote",
    "---",
    "===",
    "```\nfence",
    "~~~\nfence",
    "    indented",
    "line\nbreak",
    "line\r\nbreak",
    "line\u2028break\u2029again\x85end",
    "tab\tstop",
    "nul\x00bell\x07escape\x1b[31mred",
    "\u202egnirts desrever",
    "\u2066isolate\u2069 \u200bzero\u200d width\ufeff",
    "Z" + "\u0301" * 50,
    "\ud800 lone surrogate",
    "\U000e0041\U000e0042 tag characters",
    "$x^2$ $$\\sum$$ \\(y\\)",
    "{{ 7 * 7 }} {% for x in y %}",
    "<script>window.ran=1</script>",
    '"><img src=x onerror=window.ran=1>',
    "' onmouseover='window.ran=1' autofocus onfocus='window.ran=1",
    "</script><script>window.ran=1</script>",
    "</style></title></textarea><svg onload=window.ran=1>",
    "<details open ontoggle=window.ran=1>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example><link rel=stylesheet href=//evil.example/x.css>",
    "<form action=https://evil.example><button autofocus>send</button></form>",
    "<template><slot name=x></template><math><mi xlink:href=javascript:window.ran=1>",
    "javascript:window.ran=1",
    "JaVaScRiPt&colon;window.ran=1",
    "data:text/html,<script>window.ran=1</script>",
    "!!python/object/apply:os.system [true]",
    "a: &a [*a]\n? - {b: c}\n--- #end",
    "{{ cycler.__init__.__globals__.os.system('true') }}",
    "{% include 'report.js' %} {# hidden #} {{ style | safe }}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "\u05d0\u202b\u05d1 abc \u202c \u061c123",
    "\u2067\u202dmoc.elpmaxe\u2069",
    "x" * 5000,
    "",
    "   ",
)
RENDERER = MarkdownIt("commonmark").enable("table").enable("strikethrough")
AUTOLINKS = re.compile(r"(?i)https?://|\bwww\.|[\w.+-]+@[\w-]+\.|mailto:\S")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text_in_a_table(text: str) -> None:
    html = RENDERER.render(f"| a | b | c |\n|---|---|---|\n| {prose(text)} | {code(text)} | end |\n")
    assert html.count("<table>") == 1
    assert html.count("<td>") == 3
    assert html.endswith("<td>end</td>\n</tr>\n</tbody>\n</table>\n")
    assert set(re.findall(r"</?([a-z0-9]+)", html)) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text_in_a_paragraph(text: str) -> None:
    html = RENDERER.render(f"{prose(text)}\n")
    assert set(re.findall(r"</?([a-z0-9]+)", html)) <= {"p"}
    assert not AUTOLINKS.search(html), "a renderer that links bare addresses would link this"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_cannot_leave_a_fence(text: str) -> None:
    html = RENDERER.render(f"{fence(text, 'text')}\n\nend\n")
    assert html.count("<pre>") == 1
    assert html.endswith("</code></pre>\n<p>end</p>\n")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_invisible_or_endless_remains(text: str) -> None:
    for shown in (clean(text), plain(text)):
        assert shown.isprintable()
        assert not re.search("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]", shown)
        assert len(shown) <= 300
    assert plain(text).isascii()


def test_ordinary_text_stays_as_it_is() -> None:
    assert prose("rank 8 of 64, q=0.5 (the best)") == "rank 8 of 64, q=0.5 (the best)"
    assert prose("21.0") == "21.0"
    assert prose("naïve Größe 模型") == "naïve Größe 模型"
    assert code("org/name-1.0_x") == "`org/name-1.0_x`"


@pytest.mark.parametrize("repo", ["../../api", "a/b/c", "a b/c", "https://evil.example", "a/<b>", "org/../x", "a)b/c"])
def test_what_is_no_repository_id_is_not_linked(repo: str) -> None:
    assert "](" not in link(Source(repo=repo, revision="0" * 40), "https://hub.example")


def test_links_go_to_the_commit() -> None:
    model = Source(repo="org/name", revision="a" * 40)
    assert link(model, "https://hub.example/") == f"[`org/name`](https://hub.example/org/name/tree/{'a' * 40})"
    data = model.model_copy(update={"repo_type": "dataset"})
    assert "(https://hub.example/datasets/org/name/tree/" in link(data, "https://hub.example")


@pytest.mark.parametrize(
    "endpoint", ["javascript:alert(1)", "https://x) [y](https://evil.example", "https://user:pw@evil.example", ""]
)
def test_a_damaged_endpoint_gives_way_to_the_public_hub(endpoint: str) -> None:
    assert "(https://huggingface.co/org/name/tree/" in link(Source(repo="org/name", revision="a" * 40), endpoint)


@pytest.mark.parametrize(
    ("repo", "shown"),
    [
        ("/home/me/models/llama", "llama"),
        ("./models/llama/", "llama"),
        ("../llama", "llama"),
        ("~/llama", "llama"),
        ("../", "local folder"),
        ("/", "local folder"),
    ],
)
def test_of_a_folder_only_the_name_is_shown(repo: str, shown: str) -> None:
    assert shown_name(repo) == shown
    assert link(Source(repo=repo, revision="a" * 40), "https://hub.example") == f"`{shown}`"
    assert shown_name("org/name") == "org/name"
