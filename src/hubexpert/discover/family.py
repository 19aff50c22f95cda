"""What other repositories are to a base: copies, quantised copies, fine-tunes, or nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from hubexpert.discover.aliases import meanings, names_of, plain, same_base, short_names
from hubexpert.discover.mirrors import MIRRORS, OWNERS, QUANTISED, REBUILT, REPACKED, TUNED
from hubexpert.recipe import is_folder
from hubexpert.records import Relation

LONGEST = 200  # characters of an id; the Hub allows 96 on either side of the slash, and strangers write what they like


@dataclass(frozen=True)
class Family:
    """A base and its relatives on the Hub, their ids in lower case.

    Attributes:
        base: the base's id, or its folder, which has no relatives.
        mirrors: copies of its weights.
        quantized: copies whose weights are quantised.
        finetunes: models trained further.
    """

    base: str
    mirrors: frozenset[str]
    quantized: frozenset[str]
    finetunes: frozenset[str]

    def relation(self, name: str) -> Relation | None:
        """What `name`, as an adapter states it, is to the base; None for another base.

        Case, spaces around it and a slash at its end do not count. What the Hub does not list is related only if a
        well-known mirror carries one of the base's names.
        """
        if same_base(name, self.base):
            return "same"
        if is_folder(self.base):
            return None
        key = _key(name)
        if key in self.quantized:
            return "quantized"
        if key in self.mirrors:
            return "mirror"
        return "finetune" if key in self.finetunes else copy_of(name, self.base)


def family(base: str, quantized: Iterable[str], finetunes: Iterable[str]) -> Family:
    """The base's relatives: those the Hub lists, and its well-known mirrors.

    Many mirrors are listed as fine-tunes, and quantised copies of a fine-tune as quantised copies of the base: where
    the name tells, both are put right.

    Args:
        base: the base's canonical id, or its folder.
        quantized: the ids that the Hub lists under `base_model:quantized:<base>`.
        finetunes: those under `base_model:finetune:<base>`.
    """
    found: dict[str, Relation] = {}
    if not is_folder(base):
        found |= {_key(name): copy_of(name, base) or "finetune" for name in finetunes}
        found |= {_key(name): "finetune" if _of_another(name, base) else "quantized" for name in quantized}
        found |= {_key(name): copy_of(name, base) or "mirror" for name in known_mirrors(base)}
        found = {name: relation for name, relation in found.items() if not same_base(name, base)}

    def those(wanted: Relation) -> frozenset[str]:
        return frozenset(name for name, relation in found.items() if relation == wanted)

    return Family(base, those("mirror"), those("quantized"), those("finetune"))


def known_mirrors(base: str) -> tuple[str, ...]:
    """The copies of the base that are well known, by id; at most six."""
    return next((MIRRORS[name.lower()] for name in names_of(base) if name.lower() in MIRRORS), ())


def copy_of(name: str, base: str) -> Relation | None:
    """`mirror` or `quantized` where a well-known mirror carries one of the base's names; None for any other name."""
    key = _key(name)
    if len(key) > LONGEST or key.startswith(REBUILT):
        return None
    owner, _, repo = key.partition("/")
    bare, quantised = _bare(repo)
    known = key in map(str.lower, known_mirrors(base))
    if not known and (owner not in OWNERS or plain(bare) not in short_names(base)):
        return None
    return "quantized" if quantised else "mirror"


def _of_another(name: str, base: str) -> bool:
    """Whether a quantised copy's name says that it is one of another model than the base, so of a fine-tune."""
    key = _key(name)
    if key.startswith(REBUILT):
        return True
    if copy_of(name, base):
        return False
    bare, _ = _bare(key.partition("/")[2][:LONGEST])
    meant = meanings(bare)
    another = len(meant) == 1 and not same_base(meant[0], base)
    return another or bool(TUNED.search(bare) and not TUNED.search(base.rpartition("/")[2]))


def _key(name: str) -> str:
    return name.strip().rstrip("/").strip().lower()


def _bare(repo: str) -> tuple[str, bool]:
    """The name without the endings that tell how the weights are stored, and whether one told of quantisation."""
    quantised = False
    while True:
        if found := QUANTISED.fullmatch(repo):
            quantised = True
        elif not (found := REPACKED.fullmatch(repo)):
            return repo, quantised
        repo = found[1]
