"""What the Hub is searched for, given a task: its most telling words, and one category of tasks."""

import re
from collections.abc import Iterable

from hubexpert import hub

WORDS = 3  # searches by a word
SHORTEST = 3  # letters; shorter words stand in the names of too many datasets
# Words that say nothing of what a task is about.
STOP = re.compile(
    r"about|above|after|all|among|and|answer|answers|any|are|around|based|below|between|both|but|"
    r"can|category|categories|choice|choices|choose|class|classes|classify|correct|data|dataset|"
    r"decide|describe|determine|does|each|either|else|examples|example|explain|find|following|for|"
    r"from|generate|give|given|has|have|her|his|how|identify|input|instruction|into|label|labels|"
    r"line|list|make|multiple|name|names|not|number|one|only|option|options|order|other|our|out|"
    r"output|passage|please|predict|produce|provide|question|questions|read|reply|respond|response|"
    r"return|right|select|sentence|sentences|should|some|such|task|tell|test|text|that|the|their|"
    r"them|then|there|these|they|this|those|train|using|was|what|when|where|whether|which|who|why|"
    r"will|with|word|words|write|you|your"
)
# The first whose pattern is found in the task's words.
CATEGORIES = {
    r"multiple[- ]choice|which option|choose": "multiple-choice",
    r"summar|headline|tl;?dr": "summarization",
    r"translat": "translation",
    r"entit|\bner\b|slots?\b": "token-classification",
    r"question|\bqa\b|answer": "question-answering",
    r"classif|sentiment|intent|spam|categor|topic|emotion|entail|label": "text-classification",
}


def telling_words(task: str) -> tuple[str, ...]:
    """Up to three words of the task to search for, the first ones first: its name comes before its instruction."""
    words = re.findall(rf"[^\W\d_][\w]{{{SHORTEST - 1},29}}", task.lower().replace("_", " "))
    return tuple(word for word in dict.fromkeys(words) if not STOP.fullmatch(word))[:WORDS]


def category(task: str) -> str | None:
    """The tag of the Hub's category of tasks that the words point to, if any."""
    found = (name for pattern, name in CATEGORIES.items() if re.search(pattern, task.lower()))
    return next((f"task_categories:{name}" for name in found), None)


def searches(task: str) -> list[tuple[str | None, tuple[str, ...]]]:
    """The texts and tags to search for: four searches at most, none for no task."""
    tag = category(task)
    return [(word, ()) for word in telling_words(task)] + ([(None, (tag,))] if tag else [])


def by_downloads(pages: Iterable[Iterable[hub.DatasetListing]]) -> list[hub.DatasetListing]:
    """What several searches found, once each, most downloaded first."""
    once = {listing.source.repo.lower(): listing for page in pages for listing in page}
    return sorted(once.values(), key=lambda listing: (-listing.downloads, listing.source.repo))
