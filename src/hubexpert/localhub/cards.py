"""A card's values in the forms that listings and checks use."""


def strings(value: object) -> list[str]:
    """A card's value that may be one string or several, as a list of the strings among it."""
    items = value if isinstance(value, list) else [value]
    # YAML 1.1 reads the code of Norwegian, `no`, as false.
    return ["no" if item is False else item for item in items if (isinstance(item, str) and item) or item is False]
