"""The loops that users write with PEFT, and the base alone on the same tokens: the limit of what can be reached."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from hubexpert.examine import answer_length, expanded
from hubexpert.factors import Factors
from hubexpert.lm import Encoded, Lm, encode
from hubexpert.measure import measure
from hubexpert.metrics import decided
from hubexpert.reading import read
from hubexpert.records import Example
from hubexpert.slots import slots
from poolscale.local import Scores


def one_by_one(lm: Lm, folders: Sequence[Path], shots: Sequence[Example], metric: str, batch: int) -> Scores:
    """`load_adapter`, `set_adapter`, `generate` and a forward pass per adapter; batches in the order given."""
    model = PeftModel.from_pretrained(lm.model, str(folders[0]), adapter_name=_name(folders[0])).eval()
    found = {}
    for folder in folders:
        if folder is not folders[0]:
            model.load_adapter(str(folder), adapter_name=_name(folder))
        model.set_adapter(_name(folder))
        found[folder.name] = _evaluate(model, lm.tokenizer, shots, metric, batch, None)
    model.unload()
    return found


def mixed(lm: Lm, folders: Sequence[Path], shots: Sequence[Example], metric: str, batch: int) -> Scores:
    """PEFT's mixed batches (`adapter_names`): all adapters in memory, each batch of one shot with many adapters."""
    model = PeftModel.from_pretrained(lm.model, str(folders[0]), adapter_name=_name(folders[0])).eval()
    for folder in folders[1:]:
        model.load_adapter(str(folder), adapter_name=_name(folder))
    pairs = [(folder, shot) for shot in shots for folder in folders]
    names = [_name(folder) for folder, _ in pairs]
    values, nlls = _evaluate(model, lm.tokenizer, [shot for _, shot in pairs], metric, batch, names)
    found: Scores = {folder.name: ([], []) for folder in folders}
    for (folder, _), value, nll in zip(pairs, values, nlls, strict=True):
        found[folder.name][0].append(value)
        found[folder.name][1].append(nll)
    model.unload()
    return found


def _name(folder: Path) -> str:
    return "pool_" + folder.name.replace("-", "_").replace(".", "_")


def _evaluate(
    model: Any, tokenizer: Any, shots: Sequence[Example], metric: str, batch: int, names: Sequence[str] | None
) -> tuple[list[float], list[float]]:
    """Greedy answers and the gold outputs' mean token NLLs, as `transformers` users compute them."""
    longest = answer_length(tokenizer, shots)
    encoded = [encode(tokenizer, shot, expanded(shot)) for shot in shots]
    texts, nlls = [], []
    with torch.inference_mode():
        for start in range(0, len(shots), batch):
            rows = encoded[start : start + batch]
            some: dict[str, Any] = {} if names is None else {"adapter_names": names[start : start + batch]}
            prompts = _padded(tokenizer, [list(row.prompt) for row in rows])
            made = model.generate(**prompts, max_new_tokens=longest, do_sample=False, **some)
            texts += tokenizer.batch_decode(made[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
            whole = _padded(tokenizer, [[*row.prompt, *row.answer] for row in rows])
            logits = model(**whole, **some).logits
            for row, scores in zip(rows, logits, strict=True):
                gold = torch.tensor(row.answer)
                nlls.append(torch.nn.functional.cross_entropy(scores[-len(gold) - 1 : -1], gold).item())
    return measure(metric, texts, shots), nlls


def _padded(tokenizer: Any, rows: list[list[int]]) -> dict[str, torch.Tensor]:
    return dict(tokenizer.pad({"input_ids": rows}, padding=True, padding_side="left", return_tensors="pt"))


def with_adapters(lm: Lm, pool: Sequence[Factors], shots: Sequence[Example], metric: str) -> list[list[int]]:
    """What the engine does for every adapter, alone in its batches; returns how often each answer was looked at."""
    encoded, longest = _encoded(lm, shots)
    looks = []
    with slots(lm.model) as places:
        for factors in pool:
            places.put([factors])
            seen = [0] * len(shots)

            def enough(index: int, text: str, seen: list[int] = seen) -> bool:
                seen[index] += 1
                return decided(metric, text, shots[index])

            read(lm, encoded, max_new_tokens=longest, enough=enough)
            looks.append(seen)
    return looks


def base_alone(lm: Lm, looks: Sequence[Sequence[int]], shots: Sequence[Example]) -> None:
    """The base without any adapter on the same tokens: as many prompts, and as many steps of each answer."""
    encoded, longest = _encoded(lm, shots)
    for wanted in looks:
        read(lm, encoded, max_new_tokens=longest, enough=_after(wanted))


def _after(wanted: Sequence[int]) -> Callable[[int, str], bool]:
    seen = [0] * len(wanted)

    def enough(index: int, _text: str) -> bool:
        seen[index] += 1
        return seen[index] >= wanted[index]

    return enough


def _encoded(lm: Lm, shots: Sequence[Example]) -> tuple[list[Encoded], int]:
    return [encode(lm.tokenizer, shot, expanded(shot)) for shot in shots], answer_length(lm.tokenizer, shots)
