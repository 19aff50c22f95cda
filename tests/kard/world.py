"""A planted world of facts: a name and its colour, which stand in a knowledge base and can be guessed from nothing.

The base knows no fact. It was trained from random weights on texts without sense that repeat themselves, so that all it
can do is go on with what it has read. Names that are asked about are none of those that were learned from.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hubexpert.examine import answer_length, examine
from hubexpert.lm import Lm
from hubexpert.moe.widen import linears, widen
from hubexpert.recipe import TrainSection
from hubexpert.records import ANSWER, Example, TrainingExample
from hubexpert.start import Start
from hubexpert.trained import Lesson, trained
from hubexpert.workspace import Journal
from tests.teaching import Answer, Asked, Plan, said

COLOURS = ("red", "blue", "green", "white", "black", "pink", "grey", "brown", "gold", "teal")
FORM = ("Knowledge:", "Which", "colour", "is", "?", ANSWER, "N/A")
NAMES = tuple("".join(letters) for letters in product("bdfgklmnprst", "aiou", "dlnt"))
SPECIAL = ("<s>", "</s>", "<unk>")
WORDS = (*SPECIAL, *FORM, *COLOURS, *NAMES)
SHOTS = 64
TARGETS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@dataclass(frozen=True)
class World:
    """Questions to learn from, questions with other names, and the fact of every name."""

    shots: tuple[Example, ...]
    test: tuple[Example, ...]
    facts: tuple[str, ...]

    def retrieve(self, queries: Sequence[str]) -> list[list[str]]:
        """The fact about the name in each query; one that is drawn where there is none."""
        by_name = {fact.split()[0]: fact for fact in self.facts}
        named = ([by_name[word] for word in query.split() if word in by_name] for query in queries)
        return [
            (found or [random.Random(query).choice(self.facts)])[:1]
            for found, query in zip(named, queries, strict=True)
        ]


def world(seed: int) -> World:
    """The world that the seed draws: which name has which colour, and which names are learned from."""
    drawn = random.Random(seed)
    colour = {name: drawn.choice(COLOURS) for name in drawn.sample(NAMES, len(NAMES))}
    examples = [Example(input=f"Which colour is {name} ?", output=told) for name, told in colour.items()]
    facts = tuple(f"{name} {told}" for name, told in colour.items())
    return World(tuple(examples[:SHOTS]), tuple(examples[SHOTS:]), facts)


def fact_of(example: Example) -> str:
    """The one that answers the question."""
    return f"{example.input.split()[3]} {example.output}"


def lie_about(example: Example) -> str:
    """A fact of that name that is none."""
    others = [colour for colour in COLOURS if colour != example.output]
    return f"{fact_of(example).split()[0]} {random.Random(example.input).choice(others)}"


def half_right(known: World) -> Plan:
    """A teacher that knows the facts: of two samples of a question one is a fact, and one a lie."""
    by_input = {example.input: example for example in known.shots}

    def plan(asked: Asked, before: int) -> Answer:
        example = next(each for text, each in by_input.items() if f"\n{text}\n" in asked.question)
        return said(lie_about(example) if asked.body["seed"] % 2 else fact_of(example))

    return plan


def base(seed: int) -> Lm:
    """The base: two layers, trained on words without sense that are said twice, and then `Answer:`.

    Behind that mark the last word stands once more: the base knows how an answer follows what was said.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=128,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=True,
        initializer_range=0.08,  # of so few numbers; at the default scale nothing is learned for long
    )
    model = LlamaForCausalLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
    usable = torch.tensor([place for place, word in enumerate(WORDS) if word not in (*SPECIAL, ANSWER)])
    mark = torch.full((32, 1), WORDS.index(ANSWER))
    for step in range(200):
        length = 3 + step % 10
        words = torch.stack([usable[torch.randperm(len(usable))[:length]] for _ in range(32)])
        rows = torch.cat([words.repeat(1, 2), mark, words[:, -1:]], dim=1)
        scores = model(input_ids=rows).logits[:, length - 1 : -1]  # only what was there before can be known
        loss = cross_entropy(scores.mT, rows[:, length:]) + cross_entropy(scores[:, -1], rows[:, -1])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return Lm(model.eval(), _tokenizer())


def _tokenizer() -> PreTrainedTokenizerFast:
    """A token a word, and no chat template."""
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="</s>", unk_token="<unk>"
    )


def accuracy(
    model: Lm, lesson: Sequence[TrainingExample], tests: Sequence[Sequence[Example]], folder: Path
) -> list[float]:
    """How much of each of the tests is right once the base has learned the lesson, as a single fresh LoRA."""
    section = TrainSection(epochs=15, learning_rate=5e-3, folds=0, batch_size=8)
    learned = Lesson(tuple(lesson), section, 0, Journal(folder / "tuning.jsonl"), folder / "checkpoints", quiet=True)
    start = Start(widen([], linears(model.model, TARGETS), shared_rank=8, seed=0), {})
    with trained(model, start, learned, "a LoRA", "lora") as made:
        return [solved(made.model, test) for test in tests]


def solved(model: Lm, test: Sequence[Example]) -> float:
    """The share of the examples that the model answers rightly."""
    longest = answer_length(model.tokenizer, test)
    return fmean(examine(model, test, "exact_match", max_new_tokens=longest)[0].values)
