"""A tiny sentence encoder with random weights, and a world of facts that questions ask for in other words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

WORDS = [f"w{number}" for number in range(60)]
ALIASES = {"zorb": "elephant", "mimo": "herring", "quall": "sparrow", "bolf": "beetle", "nard": "horse"}
ASKED = {"tall": "height", "heavy": "weight", "old": "age", "fast": "speed"}


def tiny_encoder(folder: Path) -> Path:
    """A folder with a one-layer BERT over `WORDS`, mean pooling, and no dropout."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate([*special, *WORDS])}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    plain = folder.with_name(f"{folder.name}-plain")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(plain)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = BertConfig(vocab_size=len(WORDS) + 4, max_position_embeddings=64, hidden_dropout_prob=0.1, **shape)
        BertModel(config).save_pretrained(plain)
    reader = Transformer(str(plain))
    model = SentenceTransformer(modules=[reader, Pooling(reader.get_embedding_dimension())], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


class Bm25:
    """What a knowledge base gives the reranker, by the bare library."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.index = bm25s.BM25()
        self.index.index(bm25s.tokenize(self.texts, stopwords="en", show_progress=False), show_progress=False)

    def search(self, queries: Sequence[str], k: int) -> list[tuple[Any, Any]]:
        words = bm25s.tokenize(list(queries), stopwords="en", show_progress=False)
        found = self.index.retrieve(words, k=min(k, len(self.texts)), show_progress=False)
        return list(zip(found.documents, found.scores, strict=True))

    def scores(self, query: str, ids: Any) -> Any:
        words = bm25s.tokenize([query], stopwords="en", return_ids=False, show_progress=False)[0]
        return self.index.get_scores(words)[ids]

    def read(self, ids: Sequence[int]) -> list[str]:
        return [self.texts[at] for at in ids]


def translated(count: int, *, seed: int) -> tuple[list[str], list[str], list[str]]:
    """Questions, rationales and facts: a question has two words w0 to w29, and its fact the words 30 further on."""
    generator = np.random.default_rng(seed)
    pairs = sorted({tuple(sorted(generator.choice(30, 2, replace=False).tolist())) for _ in range(count)})
    questions = [" ".join(WORDS[at] for at in pair) for pair in pairs]
    facts = [" ".join(WORDS[at + 30] for at in pair) for pair in pairs]
    return questions, facts, facts


def animals() -> tuple[list[str], list[str], list[str]]:
    """Questions, rationales and facts of the same order: no word of content is both in a question and in a fact."""
    both = [(alias, asked) for alias in ALIASES for asked in ASKED]
    questions = [f"How {asked} is the {alias}?" for alias, asked in both]
    facts = [f"{ASKED[asked]} of an {ALIASES[alias]}: see table {at}" for at, (alias, asked) in enumerate(both)]
    rationales = [f"We need the {ASKED[asked]} of the {ALIASES[alias]}." for alias, asked in both]
    return questions, rationales, facts
