"""Metadata of cards that no reader should have trouble with: what is refused, and what is only odd."""

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "bomb": BOMB,
    "merges": MERGES,
    "loop": "a: &a [*a]",
    "deep": "a: " + "[" * 500 + "]" * 500,
    "very-deep": "a: " + "[" * 200_000,
    "python": "a: !!python/object/apply:os.system [true]",
    "large": "a: " + "x" * (1 << 20),
    "tab": "\ta: 1",
    "no-bool": "a: !!bool maybe",
    "no-int": "a: !!int ''",
    "no-time": "a: !!timestamp soon",
    "control": "a: \x07\x1b[2J",
}
ODD = {
    "numbers": "a: .nan\nb: .inf\nc: 0x" + "f" * 6000 + "\nd: 2024-01-01\ne: !!binary aGk=\n1: {2: 3}",
    "sixties": "a: 1" + ":1" * 250_000 + "\nb: 1" + ":1" * 250_000 + ".5",
    "types": "tags: {a: b}\nlanguage: 5\nlicense: [1, null]\nbase_model: {x: y}\npipeline_tag: []\nmodel-index: 7",
}
