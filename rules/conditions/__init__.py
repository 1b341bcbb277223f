"""Conditions as written: the one tree that everything else reads (contract, sections 4.1 and 4.2).

A model that exists is sound: whatever the contract refuses of a single condition is refused while it is read.
"""

from rules.conditions.events import CountTest, Did, DidNot, Events, First, Latest, RollingEvents
from rules.conditions.facts import KnownFor, Sample, TraitIs
from rules.conditions.logic import All, Any_, AtLeast, None_, Not
from rules.conditions.measures import AMOUNTS, MEASURES, AmountTest, Measure, binding_tests
from rules.conditions.references import MemberOf, NotMemberOf
from rules.conditions.scores import MOST_COUNTED, Each, Score, ScorePart, Tally
from rules.conditions.sequences import Chain, Sequence, SequenceEvent, SequenceStep, ThenNot
from rules.conditions.tree import (
    MODELS,
    Condition,
    Node,
    canonical,
    children,
    leaves_of,
    nodes,
    parse_condition,
    places,
    told_of,
)

__all__ = [
    "AMOUNTS",
    "MEASURES",
    "MODELS",
    "MOST_COUNTED",
    "All",
    "AmountTest",
    "Any_",
    "AtLeast",
    "Chain",
    "Condition",
    "CountTest",
    "Did",
    "DidNot",
    "Each",
    "Events",
    "First",
    "KnownFor",
    "Latest",
    "Measure",
    "MemberOf",
    "Node",
    "None_",
    "Not",
    "NotMemberOf",
    "RollingEvents",
    "Sample",
    "Score",
    "ScorePart",
    "Sequence",
    "SequenceEvent",
    "SequenceStep",
    "Tally",
    "ThenNot",
    "TraitIs",
    "binding_tests",
    "canonical",
    "children",
    "leaves_of",
    "nodes",
    "parse_condition",
    "places",
    "told_of",
]
