"""The one door for adapters: a LoRA as it is, another type converted once and kept, the same bits every time."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peft
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import nn

from hubexpert import hub
from hubexpert.conversion import convert
from hubexpert.experts.load import MOST_LOST, adapter_factors
from hubexpert.factors import UnusableError, read_factors
from hubexpert.records import Source
from tests import tiny
from tests.discover.faults import Fault, Plan, client, faulty_hub
from tests.tiny import error, logits

if TYPE_CHECKING:
    from hubexpert.localhub import Store

KILLED = """
import os, sys
from pathlib import Path
from hubexpert import hub
from hubexpert.experts.load import adapter_factors
from hubexpert.records import Source
from tests import tiny

def at(event, arguments):
    if event == "open" and str(arguments[0]).endswith("conversion.json"):
        os._exit(9)  # the weights lie there, the last file does not

sys.addaudithook(at)
adapter_factors(Source.model_validate_json(sys.argv[1]), tiny.model)
"""


def never() -> nn.Module:
    raise AssertionError("the base was asked for")


@pytest.fixture
def published(store: "Store", tmp_path: Path) -> Callable[..., Source]:
    """Publishes an adapter and returns where it is; without a configuration it is a LoRA."""

    def publish(name: str, config: Any = None) -> Source:
        repo = f"loads/{name}"
        folder = tmp_path / name
        tiny.another(folder, config, base="loads/base") if config else tiny.lora(folder, seed=1, base="loads/base")
        store.add_folder(repo, folder)
        return hub.resolve(repo)

    return publish


def a_loha(**fields: Any) -> peft.LoHaConfig:
    return peft.LoHaConfig(**{"r": 3, "alpha": 6, "target_modules": ["q_proj", "down_proj"], **fields})


def contents(source: Source) -> dict[Path, tuple[int, int]]:
    """Every file that was made of an adapter, with its time and size."""
    files = [path for path in hub.assets(source).rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def test_a_lora_needs_no_base_and_leaves_nothing(published: Callable[..., Source]) -> None:
    source = published("plain")
    factors = adapter_factors(source, never)
    assert factors.conversion_error is None
    assert contents(source) == {}


def test_another_type_is_converted_once_and_every_stage_gets_the_same_bits(
    published: Callable[..., Source], tmp_path: Path
) -> None:
    source = published("loha", a_loha())
    first = adapter_factors(source, tiny.model)
    kept = contents(source)
    assert len(kept) == 3
    again = adapter_factors(source, never)
    assert contents(source) == kept
    made = convert(tiny.model(), tmp_path / "loha")
    for other in (again, made):
        assert other.conversion_error == first.conversion_error
        assert other.a.keys() == first.a.keys()
        assert all(torch.equal(other.a[m], first.a[m]) and torch.equal(other.b[m], first.b[m]) for m in first.a)


def test_what_is_kept_is_a_lora_that_peft_reads(published: Callable[..., Source], tmp_path: Path) -> None:
    """Its modules differ in rank, and PEFT scales none of them."""
    source = published("patterns", a_loha(rank_pattern={"down_proj": 2}))
    factors = adapter_factors(source, tiny.model)
    assert {a.shape[0] for a in factors.a.values()} == {4, 9}
    (weights,) = (path for path in contents(source) if path.suffix == ".safetensors")
    ids = torch.randint(0, 256, (2, 16), generator=torch.Generator().manual_seed(3))
    torch.manual_seed(0)
    wanted = logits(PeftModel.from_pretrained(tiny.model(), tmp_path / "patterns").eval(), ids)
    got = logits(PeftModel.from_pretrained(tiny.model(), weights.parent).eval(), ids)
    assert error(got, wanted) < 1e-5
    assert read_factors(weights.parent).rank == 9


def test_what_loses_too_much_is_refused_with_the_figure_and_not_kept(store: "Store", tmp_path: Path) -> None:
    """A base with layers of 320 x 320 and an adapter that changes every direction of one of them alike."""
    config = {"peft_type": "LOKR", "r": 200, "alpha": 200, "decompose_factor": 1, "target_modules": ["q_proj"]}
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(config))
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {f"{name}.lokr_w1": torch.ones(1, 1), f"{name}.lokr_w2": torch.eye(320)}
    save_file(tensors, folder / "adapter_model.safetensors")
    store.add_folder("loads/full-rank", folder)
    source = hub.resolve("loads/full-rank")
    lost = (1 - 256 / 320) ** 0.5
    assert lost > MOST_LOST
    with pytest.raises(UnusableError, match=f"rank 256 it loses {100 * lost:.0f} %") as refused:
        adapter_factors(source, lambda: tiny.model(hidden=320, layers=1))
    assert refused.value.code == "conversion-error"
    assert contents(source) == {}


def test_a_conversion_that_is_killed_is_made_again(published: Callable[..., Source]) -> None:
    source = published("killed", a_loha())
    done = subprocess.run(
        [sys.executable, "-c", KILLED, source.model_dump_json()],
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 9
    left = contents(source)
    assert any(path.name == "adapter_model.safetensors" for path in left)
    factors = adapter_factors(source, tiny.model)
    assert factors.conversion_error is not None
    weights = [p for p in contents(source) if p.suffix == ".safetensors" and p not in left]
    assert len(weights) == 1
    assert len(load_file(weights[0])) == 2 * len(factors.a)


def test_an_adapter_of_a_type_that_is_not_converted_is_refused(published: Callable[..., Source]) -> None:
    source = published("vera", peft.VeraConfig(r=4, target_modules=["q_proj"]))
    with pytest.raises(UnusableError) as refused:
        adapter_factors(source, never)
    assert refused.value.code == "weights-broken"


def test_scans_are_asked_before_weights_are_downloaded_and_not_again(
    published: Callable[..., Source], endpoint: str, tmp_path: Path
) -> None:
    source = published("scanned")

    def condemn(info: Any) -> Any:
        return info | {"securityRepoStatus": {"filesWithIssues": [{"path": "adapter_model.safetensors", "level": "x"}]}}

    script = f"""
from hubexpert.experts.load import adapter_factors
from hubexpert.factors import UnusableError
from hubexpert.records import Source
source = Source.model_validate_json({source.model_dump_json()!r})
try:
    print(sorted(adapter_factors(source, None).suffixes))
except UnusableError as error:
    print(error.code)
"""

    def planned(change: Callable[[Any], Any] | None) -> Plan:
        def plan(method: str, path: str, before: int) -> Fault | None:
            return Fault(change=change) if change and "/api/models/" in path else None

        return plan

    for change, told in ((condemn, "unsafe-scan"), (None, "['q_proj', 'v_proj']"), (condemn, "['q_proj', 'v_proj']")):
        with faulty_hub(endpoint, planned(change)) as (address, seen):
            done = client(script, address, HF_HOME=str(tmp_path / "home"))
        assert done.stdout == f"{told}\n", done.stderr
        assert any("/resolve/" in path for _, path in seen) == (change is None)
