"""The records that stages hand on and that the lock keeps: frozen, checked, written as JSON.

One direction: Candidate -> Score -> Selection -> Expert -> Report -> Lock. Every record that stands for
something from outside carries a `Source`; what a stage refuses it keeps, as a `Refused` with a reason code.
"""

from hubexpert.records.data import (
    Beacons,
    Data,
    DatasetUse,
    Diversity,
    Harvest,
    Method,
    MethodReport,
    Origin,
    RefusedRow,
    Row,
    TrainingExample,
    as_lesson,
)
from hubexpert.records.discovery import (
    ACCEPTED,
    Candidate,
    ColumnMap,
    DatasetCandidate,
    DatasetConfig,
    Discovery,
    Relation,
    Relative,
    as_tuple,
)
from hubexpert.records.examples import ANSWER, Example, Rationales, Reply, TeacherCounts
from hubexpert.records.knowledge import Passage
from hubexpert.records.mixture import Build, ExpertRecord, TokenShares, Tried, Tuning
from hubexpert.records.record import Record, Refused, Revision, Source
from hubexpert.records.report import (
    AblationRow,
    Contribution,
    Contributions,
    Cost,
    Difference,
    Measured,
    Protocol,
    Published,
    Report,
    SystemScore,
)
from hubexpert.records.scores import Score, ScoreTable, Selected, Selection

__all__ = [
    "ACCEPTED",
    "ANSWER",
    "AblationRow",
    "Beacons",
    "Build",
    "Candidate",
    "ColumnMap",
    "Contribution",
    "Contributions",
    "Cost",
    "Data",
    "DatasetCandidate",
    "DatasetConfig",
    "DatasetUse",
    "Difference",
    "Discovery",
    "Diversity",
    "Example",
    "ExpertRecord",
    "Harvest",
    "Measured",
    "Method",
    "MethodReport",
    "Origin",
    "Passage",
    "Protocol",
    "Published",
    "Rationales",
    "Record",
    "Refused",
    "RefusedRow",
    "Relation",
    "Relative",
    "Reply",
    "Report",
    "Revision",
    "Row",
    "Score",
    "ScoreTable",
    "Selected",
    "Selection",
    "Source",
    "SystemScore",
    "TeacherCounts",
    "TokenShares",
    "TrainingExample",
    "Tried",
    "Tuning",
    "as_lesson",
    "as_tuple",
]
