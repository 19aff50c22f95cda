"""What a workspace holds beside the lock that the report can show: who spoke where, the map, refused rows."""

from dataclasses import dataclass

from hubexpert.lock import Lock, locked_data
from hubexpert.records import Data, DataMap, RefusedRow, Spoken, TokenShares
from hubexpert.workspace import Workspace

SPOKEN, MAP = "spoken", "map"


@dataclass(frozen=True)
class Beside:
    """What is known beside the lock.

    Attributes:
        spoken: which expert spoke where, in a few examples.
        map: where the rows lie around the shots.
        rows: a few refused rows of each reason code.
    """

    spoken: tuple[TokenShares, ...] = ()
    map: DataMap | None = None
    rows: tuple[RefusedRow, ...] = ()


def beside(lock: Lock, workspace: Workspace) -> Beside:
    """What the workspace holds of the lock's own mixture and data; what is of others is left out."""
    spoken, placed = workspace.stored(SPOKEN, Spoken), workspace.stored(MAP, DataMap)
    return Beside(
        spoken=spoken.examples if spoken and spoken.weights == lock.build.files and _fits(spoken, lock) else (),
        map=placed if placed and lock.data and placed.digest == lock.data.digest else None,
        rows=_rows(lock, workspace),
    )


def _rows(lock: Lock, workspace: Workspace) -> tuple[RefusedRow, ...]:
    """The refused rows that the data of this lock came with; none where others lie there."""
    data = workspace.stored("data", Data) if lock.data else None
    if data is None or locked_data(data) != lock.data:
        return ()
    return (*data.samples, *(row for method in data.methods for row in method.samples))


def _fits(spoken: Spoken, lock: Lock) -> bool:
    """Whether there are experts, and every token has a share of each."""
    count = len(lock.build.experts)
    return count > 0 and all(
        len(one.tokens) == len(one.shares) and all(len(shares) == count for shares in one.shares)
        for one in spoken.examples
    )
