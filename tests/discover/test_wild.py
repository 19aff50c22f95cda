"""All real configurations and cards in a real Hub: each gets a verdict whose words are true and can be printed."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from hubexpert.discover.data import Known, discover_datasets
from hubexpert.discover.snapshot import open_snapshot
from hubexpert.localhub import Store
from hubexpert.recipe import DiscoverSection
from tests.commands import run
from tests.discover import wild
from tests.discover.data import adapter

Line = Mapping[str, Any]
VERDICTS = {"accepted": 17, "not-lora": 65, "other-base": 11, "dora": 1}
# The adapters that name a base, judged for that one.
OF_THEIR_OWN = {
    "AshChadha-iitg/OpenMath-1": "accepted",
    "HeavyMetalAlchemist/phi3-lora-structured-output-1": "accepted",
    "LTtt456c/InternLM_AdapterModel-1": "license-unknown",
    "abbas1123/llm-merchant-finetune-1": "accepted",
    "branbot6/sift-opf-zh-1": "extra-modules",
    "huggingface/peft-38": "not-lora",
    "huggingface/peft-73": "dora",
    "kirilssw/Phishing-analyzer-LoRA-1": "accepted",
    "shettysaish20/era-phi-2-oasst-instruct-1": "license-unknown",
    "thebitanpaul/Midjourney-Prompt-Generator-using-falcon-7b-finetune-1": "accepted",
    "wujindou/BLOOM-LORA-1": "not-lora",
}
DATASETS = {"accepted": 49, "license-unknown": 76, "license-forbidden": 24}


@pytest.fixture(scope="module")
def hub(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The test Hub with all of it."""
    wild.fill(store, tmp_path_factory.mktemp("wild"))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Line]:
    """What a command that ends well prints with `--json`."""
    assert run(*arguments, "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def texts(lines: list[Line]) -> Iterator[str]:
    for line in lines:
        yield from (*line["reasons"], *line["remarks"], *line["target_modules"])


def test_every_real_configuration_gets_a_verdict_and_inspect_gives_the_same(
    hub: None, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [option for repo in OF_THEIR_OWN for option in ("--include", repo)]
    found = printed(capsys, "discover", "--base", "llama-2-7b", *named)
    wanted = wild.repos()
    lines = [line for line in found if line["repo"] in wanted]
    assert (len(lines), len({line["repo"] for line in lines})) == (94, 94)
    assert Counter(line["verdict"] for line in lines) == VERDICTS
    assert all((line["verdict"] == "accepted") == (not line["reasons"]) for line in lines)
    inspected = [printed(capsys, "inspect", line["repo"], "--base", "llama-2-7b")[0]["adapter"] for line in lines]
    assert [(a["source"]["repo"], a["verdict"]) for a in inspected] == [(c["repo"], c["verdict"]) for c in lines]
    assert all(text.isprintable() for text in (*texts(lines), *texts(inspected)))
    assert all(a["reasons"][: len(c["reasons"])] == c["reasons"] for a, c in zip(inspected, lines, strict=True))


def test_adapters_of_other_bases_are_judged_for_those(hub: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert OF_THEIR_OWN.keys() == {repo for repo, file in wild.repos().items() if wild.stated_base(file)}
    told = {repo: printed(capsys, "inspect", repo)[0] for repo in OF_THEIR_OWN}
    assert {repo: line["adapter"]["verdict"] for repo, line in told.items()} == OF_THEIR_OWN
    assert {repo: line["base"] for repo, line in told.items()} == {
        repo: wild.stated_base(wild.repos()[repo]) for repo in OF_THEIR_OWN
    }
    bloom = told["wujindou/BLOOM-LORA-1"]["adapter"]
    assert bloom["remarks"] == ["Its configuration has fields that are unknown here: enable_lora, merge_weights."]
    assert "`enable_lora`" in bloom["reasons"][0]
    others = [line["adapter"] for repo, line in told.items() if repo != "wujindou/BLOOM-LORA-1"]
    assert not [text for text in texts(others) if "unknown here" in text]


@pytest.mark.parametrize(
    ("repo", "expected", "absent"),
    [
        (
            "huggingface/peft-99",
            ["peft-99: accepted, for meta-llama/Llama-2-7b-hf", "LORA", "kB, 512 numbers", "apache-2.0"],
            ["against it", "note:"],
        ),
        (
            "huggingface/peft-24",
            ["accepted", "note: It is a LoHa: it is converted", "q_proj           1     32   [16, 16]"],
            ["against it"],
        ),
        ("huggingface/peft-83", ["accepted", "to_out.0 ", "[256, 256]", "add_k_proj"], ["against it"]),
        (
            "huggingface/peft-28",
            ["peft-28: dora, for", "against it: It is a DoRA", "against it: Its weights hold DoRA's magnitude"],
            ["note:"],
        ),
        (
            "huggingface/peft-18",
            ["peft-18: not-lora, for", "against it: Its type HIRA is not converted to a LoRA."],
            ["Its weights hold", "What it changes"],
        ),
        ("Inishpy/lerobot-libero-1", ["against it: Its configuration names no `peft_type`.\n"], ["Its weights hold"]),
        ("egarim/poisoned-code-model-1", ["names no `peft_type`: it looks like one of MLX, not of PEFT."], []),
        ("AnHu2410/MD_crosslingual-1", ["it looks like one of AdapterHub's `adapters`, not of PEFT."], []),
    ],
)
def test_inspect_explains_each_kind_in_words(
    hub: None, capsys: pytest.CaptureFixture[str], repo: str, expected: list[str], absent: list[str]
) -> None:
    assert run("inspect", repo) == 0
    told = capsys.readouterr().out
    assert [text for text in expected if text not in told] == []
    assert [text for text in absent if text in told] == []


def test_every_real_dataset_card_gets_a_verdict(hub: None) -> None:
    names = list(wild.datasets())
    citing = [adapter(f"wild/lora-{n}", *names[n : n + 20]) for n in range(0, len(names), 20)]
    known = Known(open_snapshot())
    found = discover_datasets(citing, DiscoverSection(datasets=200), known, quiet=True)
    assert sorted(d.repo for d in found) == names
    assert Counter(d.verdict for d in found) == DATASETS
    assert all((d.reason or "").isprintable() and (d.reason or d.mapping) for d in found)
