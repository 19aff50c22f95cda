"""A reranker on disk: sentence-transformers alone opens it, and what is hostile does not run."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store
from hubexpert.records import RerankerKind, RerankerRecord
from hubexpert.reranker.folder import load, read_record, save
from hubexpert.reranker.models import Reranker, start
from hubexpert.reranker.rank import rerank

QUESTION, PASSAGES = "w1 w2", ["w31 w32 w33", "w1", "w40 w2"]


def written(tiny: Path, kind: RerankerKind, folder: Path) -> Reranker:
    reranker = start(str(tiny), kind, seed=3, device="cpu")
    save(reranker, RerankerRecord(kind=kind, start=reranker.start), folder)
    return reranker


def alone(kind: RerankerKind, folder: str) -> Any:
    """The scores by nothing but sentence-transformers."""
    import sentence_transformers as library

    if kind == "cross":
        return library.CrossEncoder(folder, device="cpu").predict([(QUESTION, text) for text in PASSAGES])
    model = (library.SentenceTransformer if kind == "bi" else library.MultiVectorEncoder)(folder, device="cpu")
    return model.similarity(model.encode_query([QUESTION]), model.encode_document(PASSAGES)).numpy()[0]


@pytest.mark.parametrize("kind", ["bi", "cross", "late"])
def test_the_folder_is_a_model_of_sentence_transformers(kind: RerankerKind, tiny: Path, tmp_path: Path) -> None:
    """It gives the same scores there and here, and holds safetensors, settings and no pickle."""
    reranker = written(tiny, kind, tmp_path / "reranker")
    (expected,) = rerank(reranker, [QUESTION], [PASSAGES])
    np.testing.assert_allclose(alone(kind, str(tmp_path / "reranker")), expected, atol=2e-5)
    again = load(tmp_path / "reranker", device="cpu")
    assert (again.kind, again.start) == (kind, f"./{tiny.name}")
    np.testing.assert_array_equal(rerank(again, [QUESTION], [PASSAGES])[0], expected)
    files = [file for file in (tmp_path / "reranker").rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".txt"}
    assert not any(str(tiny).encode() in file.read_bytes() for file in files), (
        "where it started from is nobody's business"
    )
    assert sum(file.stat().st_size for file in files) < 1.5 * sum(
        file.stat().st_size for file in tiny.rglob("*") if file.is_file()
    )


def test_saving_again_leaves_nothing_of_what_was_there(tiny: Path, tmp_path: Path) -> None:
    written(tiny, "cross", tmp_path / "reranker")
    written(tiny, "bi", tmp_path / "reranker")
    assert load(tmp_path / "reranker", device="cpu").kind == "bi"
    assert read_record(tmp_path / "reranker").sentence == "The reranker was not trained."


@pytest.mark.parametrize("kind", ["cross", "late"])
def test_a_model_that_is_of_the_kind_already_is_taken_as_it_is(kind: RerankerKind, tiny: Path, tmp_path: Path) -> None:
    """Its head is not drawn anew."""
    reranker = written(tiny, kind, tmp_path / "reranker")
    again = start(str(tmp_path / "reranker"), kind, seed=9, device="cpu")
    first, second = (rerank(one, [QUESTION], [PASSAGES])[0] for one in (reranker, again))
    np.testing.assert_array_equal(first, second)


def test_a_cross_encoder_may_be_a_plain_model(tiny: Path, store: Store) -> None:
    """One of transformers, without a list of modules, here or on the Hub; for the other kinds it will not do."""
    plain = tiny.with_name(f"{tiny.name}-plain")
    commit = store.add_folder("rerankers/plain", plain)
    here, there = (start(name, "cross", seed=0, device="cpu") for name in (str(plain), "rerankers/plain"))
    assert there.start == f"rerankers/plain@{commit}"
    first, second = (rerank(one, [QUESTION], [PASSAGES])[0] for one in (here, there))
    np.testing.assert_array_equal(first, second)
    with pytest.raises(HubExpertError, match="cannot be loaded as a reranker"):
        start(str(plain), "late", seed=0, device="cpu")


@pytest.mark.parametrize("kind", ["bi", "cross", "late"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reranker.json", None),
        ("reranker.json", "{"),
        ("reranker.json", '{"kind": "own", "start": "x"}'),
        ("modules.json", None),
        ("modules.json", "[]"),
        ("modules.json", '[{"idx": 0, "name": "0", "path": "../other", "type": "sentence_transformers.Any"}]'),
        ("model.safetensors", None),
        ("model.safetensors", "damaged"),
        ("config.json", "[]"),
    ],
)
def test_a_damaged_folder_is_one_sentence_with_a_fix(
    kind: RerankerKind, name: str, content: str | None, tiny: Path, tmp_path: Path
) -> None:
    written(tiny, kind, tmp_path / "reranker")
    (tmp_path / "reranker" / name).unlink()
    if content is not None:
        (tmp_path / "reranker" / name).write_text(content)
    with pytest.raises(HubExpertError, match="reranker") as raised:
        load(tmp_path / "reranker", device="cpu")
    assert "data.kard.model" in raised.value.fix


@pytest.mark.parametrize("kind", ["bi", "cross", "late"])
def test_a_pickle_instead_of_weights_is_refused(kind: RerankerKind, tiny: Path, tmp_path: Path) -> None:
    written(tiny, kind, tmp_path / "reranker")
    (tmp_path / "reranker" / "model.safetensors").rename(tmp_path / "reranker" / "pytorch_model.bin")
    with pytest.raises(HubExpertError, match="no safetensors"):
        load(tmp_path / "reranker", device="cpu")


@pytest.mark.parametrize("kind", ["bi", "cross", "late"])
def test_code_in_the_folder_does_not_run(kind: RerankerKind, tiny: Path, tmp_path: Path) -> None:
    """Neither as a module nor as a model, nor as the function of a cross-encoder's output."""
    folder = tmp_path / "reranker"
    written(tiny, kind, folder)
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\nModule = Model = print\n")
    for name in ("config.json", "config_sentence_transformers.json"):
        settings = json.loads((folder / name).read_text())
        settings |= {"auto_map": {"AutoModel": "own.Model", "AutoConfig": "own.Model"}, "activation_fn": "own.Module"}
        (folder / name).write_text(json.dumps(settings | {"sentence_transformers": {"activation_fn": "own.Module"}}))
    if kind == "cross":
        assert load(folder, device="cpu").model.activation_fn.__class__.__name__ == "Sigmoid"
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([*modules, modules[0] | {"name": "9", "type": "own.Module"}]))
    with pytest.raises(HubExpertError, match="cannot be loaded as a reranker"):
        load(folder, device="cpu")
    assert not ran.exists()


def test_the_folder_may_move(tiny: Path, tmp_path: Path) -> None:
    written(tiny, "bi", tmp_path / "reranker")
    shutil.move(tmp_path / "reranker", tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere", device="cpu").kind == "bi"
