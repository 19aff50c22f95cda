"""Strangers' repositories that mean harm: each ends in a verdict, in bounded time and memory, and hides no other."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.hub.listing import listing
from hubexpert.localhub import Store
from tests.discover.faults import Fault, client, faulty_hub
from tests.discover.making import CONFIG, WEIGHTS, adapter, card, config

BASE = "hostile/base"
SCRIPT = f"""
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from hubexpert.discover import discover
from hubexpert.discover.examine import examine
from hubexpert.recipe import DiscoverSection
from hubexpert.errors import HubExpertError
refused = []
found = discover({BASE!r}, DiscoverSection(), each=refused.append, quiet=True)
candidates = (*found.candidates, *refused)
for candidate in candidates:
    try:
        examine(candidate.source.repo, {BASE!r}, DiscoverSection())
    except HubExpertError:
        pass
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0])  # KiB; `ru_maxrss` would begin with that of the process which started this one
print(json.dumps([peak, [c.model_dump(mode="json") for c in candidates], [d.repo for d in found.datasets]]))
"""


def bomb(levels: int = 30) -> str:
    """YAML that stands for 10^30 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int = 30) -> str:
    lines = ["b0: &b0 {x: 1}"]
    return "\n".join(lines + [f"b{i}: &b{i} {{<<: [*b{i - 1}, *b{i - 1}]}}" for i in range(1, levels)])


@pytest.fixture(scope="module")
def kinds(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Repositories with hostile cards and files, and the verdict each deserves."""
    folder = tmp_path_factory.mktemp("hostile")
    filler = "x" * 1023 + "\n"
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    wide = json.dumps({f"{'m' * 60}{i}": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for i in range(40_000)})
    sides = json.dumps({"x": {"dtype": "F32", "shape": [2**31 - 1] * 500_000, "data_offsets": [0, 0]}})
    texts = {
        "huge-card": card(BASE) + filler * 50_000,
        "huge-metadata": f"---\nbase_model: {BASE}\nlicense: mit\nnote: |\n" + ("  " + filler) * 50_000 + "---\n",
        "bomb": f"---\nbase_model: {BASE}\nlicense: mit\n{bomb()}\n---\n",
        "merges": f"---\nbase_model: {BASE}\nlicense: mit\n{merges()}\n---\n",
        "deep-card": f"---\nbase_model: {BASE}\nlicense: mit\nx: {'[' * 200_000}\n---\n",
        "control": card(BASE, extra='tags: ["\\x1b[2J", "\\u202e"]\ndatasets: ["../../etc", "a\\x00b", "\\x1b[31m/x"]'),
    }
    contents = {
        "deep-config": deep.encode(),
        "huge-config": b'{"peft_type": "LORA", "x": "' + b"x" * 5_000_000 + b'"}',
        "numbers": json.dumps(config(BASE) | {"r": 10**400, "lora_alpha": 1e308}).encode(),
        "not-a-number": json.dumps(config(BASE) | {"lora_alpha": float("nan")}).encode(),
        "surrogates": json.dumps(config(BASE) | {"\ud800": "\udfff", "task_type": "\ud83d"}).encode(),
        "path-base": json.dumps(config("../../../../etc/passwd")).encode(),
        "control-base": json.dumps(config("\x1b]0;owned\x07/\u202e")).encode(),
    }
    weights = {
        "wide-header": len(wide).to_bytes(8, "little") + wide.encode() + b"\0" * 4,
        "deep-header": len(deep).to_bytes(8, "little") + deep.encode(),
        "many-sides": len(sides).to_bytes(8, "little") + sides.encode(),
        "endless-header": (2**63).to_bytes(8, "little") + b"{}",
    }
    for name, text in texts.items():
        store.add_folder(f"hostile/{name}", adapter(folder / name, BASE, text=text))
    for name, content in contents.items():
        store.add_folder(f"hostile/{name}", adapter(folder / name, BASE, files={CONFIG: content}))
    for name, content in weights.items():
        store.add_folder(f"hostile/{name}", adapter(folder / name, BASE, files={WEIGHTS: content}))
    store.add_folder("hostile/good", adapter(folder / "good", BASE))
    unread = dict.fromkeys(("huge-metadata", "bomb", "merges", "deep-card"), "license-unknown")  # no Hub reads those
    return unread | {
        "huge-card": "accepted",
        "control": "accepted",
        "deep-config": "config-broken",
        "huge-config": "config-broken",
        "numbers": "config-broken",
        "not-a-number": "config-broken",
        "surrogates": "accepted",
        "path-base": "accepted",  # a place on somebody's machine; the card names the base
        "control-base": "other-base",
        "wide-header": "header-broken",
        "deep-header": "header-broken",
        "many-sides": "header-broken",
        "endless-header": "header-broken",
        "good": "accepted",
    }


def test_every_hostile_repository_ends_in_its_verdict(kinds: dict[str, str], endpoint: str, tmp_path: Path) -> None:
    """Also where the listing itself holds names that lead out of a folder, values of wrong types and huge lists."""

    def poison(listing: Any) -> Any:
        good = next((entry for entry in listing if entry["id"] == "hostile/good"), None)
        if good is None:
            return listing
        names = ["../../../etc/passwd", "a/../../b", "a/b/c", "", "\x1b[2J/x", "a" * 5000, "CON\\x/..", "hostile/"]
        odd = [
            {"id": 7}, {"id": "x/y"}, {}, {"id": "x/y", "sha": "z" * 40}, {"id": None, "sha": "0" * 40},
            good | {"id": "hostile/odd-types", "tags": {"a": 1}, "siblings": "x", "config": [1], "downloads": "many"},
            good | {"id": "hostile/odd-dates", "lastModified": "+999999-99-99T99:99:99Z", "downloads": -(10**30)},
            good | {"id": "hostile/surrogates-told", "author": "\udfff", "lastModified": "\ud800",
                    "config": {"peft": {"base_model_name_or_path": "\ud83d"}}, "siblings": [{"rfilename": "\udead"}]},
            good | {"id": "hostile/many-tags", "tags": [*good["tags"], *(f"dataset:d{i}" for i in range(50_000))]},
        ]  # fmt: skip
        return [*listing, *(good | {"id": name} for name in names), *odd, 3, "x", None, [[]]]

    def plan(method: str, path: str, before: int) -> Fault | None:
        return Fault(change=poison) if path.startswith("/api/models?") and "limit=1000" in path else None

    with faulty_hub(endpoint, plan) as (address, _):
        done = client(SCRIPT, address, HF_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    peak, candidates, datasets = json.loads(done.stdout)
    verdicts = {c["source"]["repo"].partition("/")[2]: c["verdict"] for c in candidates}
    assert len(verdicts) == len(candidates)
    odd = {name: verdicts.pop(name) for name in ("odd-types", "odd-dates", "many-tags", "surrogates-told")}
    assert odd == {
        "odd-types": "no-weights", "odd-dates": "missing", "many-tags": "missing", "surrogates-told": "no-weights",
    }  # fmt: skip
    assert verdicts == kinds
    assert peak < 400 * 1024, f"{peak / 1024:.0f} MiB"
    shown = json.dumps([c["reasons"] + c["remarks"] + [c["base"] or ""] for c in candidates], ensure_ascii=False)
    assert shown.isprintable()
    assert all(name.isprintable() for name in datasets)
    assert not any(tmp_path.parent.glob("passwd"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    "author", "cardData", "config", "downloads", "gated", "lastModified", "likes", "private", "securityRepoStatus",
    "siblings", "tags",
]  # fmt: skip
entries = st.fixed_dictionaries(
    {"id": st.just("a/b") | st.text(max_size=9), "sha": st.just("1" * 40) | json_values},
    optional=dict.fromkeys(FIELDS, json_values),
)


@settings(max_examples=400, deadline=None)
@given(entries)
def test_an_entry_of_any_form_is_a_listing_or_nothing(entry: dict[str, Any]) -> None:
    found = listing(entry)
    if found is not None:
        assert found.source.revision == entry["sha"]
        assert found.downloads >= 0
        assert all(isinstance(name, str) for name in (*found.files, *found.datasets))
