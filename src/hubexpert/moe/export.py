"""A published mixture in forms that other tools read: a LoRA of a lower rank, one expert, a merged model."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from hubexpert import hub, lm
from hubexpert.errors import HubExpertError
from hubexpert.factors import Factors, UnusableError, read_factors
from hubexpert.moe.adapter import load, write_lora
from hubexpert.moe.export_card import Exported, at_commit, write_export_card
from hubexpert.moe.mixture import Mixture
from hubexpert.moe.narrow import expert_columns, truncate
from hubexpert.moe.router import find_expert, read_router
from hubexpert.moe.stored import ROUTER_FILE
from hubexpert.moe.widen import Wide, widen
from hubexpert.records import Source


def export_static(mixture: Mixture, rank: int, target: Path) -> Exported:
    """Write the static form as a plain LoRA of at most this rank into the new folder `target`.

    Where the mixture's rank is not above it, nothing is lost.

    Raises:
        HubExpertError: the mixture's weights cannot be used, or there is something in the target.
    """
    cut = truncate(_factors(mixture), rank)
    with _new_folder(target) as folder:
        made = Exported(
            form="static",
            modules=len(cut.factors.a),
            rank=_write(cut.factors, folder, mixture, cut.factors.suffixes).rank,
            error=cut.error,
            worst_module=cut.worst_module,
            worst_error=cut.worst_error,
        )
        _card(made, folder, mixture)
    return made


def export_expert(mixture: Mixture, which: str, target: Path) -> Exported:
    """Write one expert, as it stands in the mixture, as a plain LoRA of its own rank into the new folder `target`.

    Args:
        mixture: where it is taken from.
        which: its number, from 1, its repository, or `shared` for the shared expert.
        target: where to.

    Raises:
        HubExpertError: there is no such expert, the files cannot be used, or there is something in the target.
    """
    factors = _factors(mixture)
    router = read_router(mixture.folder / ROUTER_FILE, factors.a)
    number, name = find_expert(router, which)
    own = expert_columns(factors, router, number)
    if not own.a:
        raise HubExpertError(
            f"The mixture holds no columns of the expert {name}.",
            fix="name another expert, by its number or repository",
        )
    with _new_folder(target) as folder:
        wide = _write(own, folder, mixture, _targets(own, factors))
        even = len({a.shape[0] for a in wide.a.values()}) == 1
        made = Exported(form="expert", modules=len(own.a), rank=wide.rank, even=even, expert=name)
        _card(made, folder, mixture)
    return made


def export_merged(mixture: Mixture, base: Source | Path, target: Path) -> Exported:
    """Write the base with the static form merged into its weights, as a model of its own, into the new folder `target`.

    The sum is made in float32 on the CPU and rounded once, to the dtype of the base. Tied output embeddings that the
    mixture adapts are untied first: merged, they are no longer the input's.

    Raises:
        HubExpertError: the base cannot be had or does not fit, or there is something in the target.
    """
    factors = _factors(mixture)
    place = base if isinstance(base, Path) else hub.snapshot(base, lm.BASE_FILES)
    with _new_folder(target) as folder:
        model = lm.load_lm(place, device="cpu").model
        _untie(model, factors)
        whole = load(mixture.folder, base=model, routed=False).merge_and_unload()
        dtype = AutoConfig.from_pretrained(place, local_files_only=True, trust_remote_code=False).dtype
        whole.to(dtype or torch.float32).save_pretrained(folder)
        lm.load_tokenizer(place).save_pretrained(folder)
        made = Exported(form="merged", modules=len(factors.a), dtype=str(whole.dtype).removeprefix("torch."))
        _card(made, folder, mixture, base=base if isinstance(base, Source) else base.resolve().name)
    return made


def _factors(mixture: Mixture) -> Factors:
    try:
        return read_factors(mixture.folder)
    except UnusableError as error:
        raise HubExpertError(
            f"The weights of {mixture.name} cannot be used: {error}", fix="name a repository that hubexpert published"
        ) from error


def _targets(own: Factors, whole: Factors) -> Sequence[str]:
    """The expert's `target_modules`: the last parts of its modules' names, or, where those name more, the full ones.

    PEFT would put a LoRA of random numbers on a module that is named and not in the file.
    """
    covered = {module for module in whole.a if module.rsplit(".", 1)[-1] in own.suffixes}
    return own.suffixes if covered == own.a.keys() else tuple(own.a)


def _write(factors: Factors, folder: Path, mixture: Mixture, targets: Sequence[str]) -> Wide:
    """Write it as a plain LoRA; what was written comes back."""
    layers = {module: (a.shape[1], factors.b[module].shape[0]) for module, a in factors.a.items()}
    alone = widen([factors], layers, shared_rank=0, seed=0)
    return write_lora(alone, folder, base=mixture.base, targets=targets)


def _untie(model: Any, factors: Factors) -> None:
    into, out_of = model.get_input_embeddings(), model.get_output_embeddings()
    if out_of is None or out_of.weight is not into.weight:
        return
    if any(module is out_of for name, module in model.named_modules() if name in factors.a):
        out_of.weight = torch.nn.Parameter(out_of.weight.detach().clone())
        model.config.tie_word_embeddings = False


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill; when the block ends well it becomes `target`, which is new or empty.

    Raises:
        HubExpertError: there is something in the target.
    """
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise HubExpertError(f"There is something at {target} already.", fix="name a new folder, or empty that one")
    place = target.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    folder = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        folder.mkdir()
        yield folder
        folder.replace(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _card(made: Exported, folder: Path, mixture: Mixture, *, base: Source | str | None = None) -> None:
    write_export_card(
        made,
        folder,
        mixture=mixture.source or mixture.name,
        base=base or at_commit(mixture.base, mixture.base_revision),
        endpoint=hub.endpoint(),
    )
