"""Tables of names as text: a line is `left: right`, and `{a,b}` in a name stands for each of a and b."""


def expanded(patterns: str) -> tuple[str, ...]:
    """The names that the patterns, separated by spaces, stand for, in order."""
    return tuple(name for pattern in patterns.split() for name in _expanded(pattern))


def rows(table: str) -> tuple[tuple[str, str], ...]:
    """The two sides of the first colon in every line of a table."""
    lines = (line.partition(":") for line in table.strip().splitlines())
    return tuple((left.strip(), right.strip()) for left, _, right in lines)


def starred(table: str) -> dict[str, tuple[str, ...]]:
    """Id -> the names to its right, in which `*` is the id's own name without the owner."""
    found = {}
    for left, right in rows(table):
        for repo in expanded(left):
            found[repo] = expanded(right.replace("*", repo.partition("/")[2]))
    return found


def _expanded(pattern: str) -> list[str]:
    head, brace, rest = pattern.partition("{")
    if not brace:
        return [head]
    options, _, tail = rest.partition("}")
    return [head + option + end for option in options.split(",") for end in _expanded(tail)]
