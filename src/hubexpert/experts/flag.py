"""What the flags on scored adapters mean, in words."""

from hubexpert.recipe import Flag

# What a flag says of an adapter; `{count}` is the number behind its colon.
MEANINGS: dict[Flag, str] = {
    "memorised": "writes inputs of the shots by heart, so it was trained on them",
    "closer-to-shots": "knows the shots far better than held-out examples, so it may have been trained on them",
    "trained-on-shots": "cites a dataset that holds {count} of the shots",
    "trained-on-test": "cites a dataset that holds {count} of the held-out examples",
    "in-domain": "was trained on the task's own dataset, by its name or by what it cites",
}


def sentence(flag: str) -> str:
    """What a flag says of an adapter, to stand behind its name."""
    code, _, count = flag.partition(":")
    meaning = next((text for known, text in MEANINGS.items() if known == code), None)
    return meaning.format(count=count) if meaning else f"is flagged as {code}"
