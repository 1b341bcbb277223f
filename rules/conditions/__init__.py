"""Conditions as written: the one tree that everything else reads (contract, sections 4.1 and 4.2).

A model that exists is sound: whatever the contract refuses of a single condition is refused while it is read.
"""

from rules.conditions.events import CountTest, Did, DidNot, Events, First, Latest, RollingEvents
from rules.conditions.facts import KnownFor, Sample, TraitIs
from rules.conditions.logic import All, Any_, AtLeast, None_, Not
from rules.conditions.measures import AMOUNTS, MEASURES, AmountTest, Measure
from rules.conditions.sequences import Chain, Sequence, SequenceEvent, SequenceStep, ThenNot
from rules.conditions.tree import MODELS, Condition, canonical, children, parse_condition, places

__all__ = [
    "AMOUNTS",
    "MEASURES",
    "MODELS",
    "All",
    "AmountTest",
    "Any_",
    "AtLeast",
    "Chain",
    "Condition",
    "CountTest",
    "Did",
    "DidNot",
    "Events",
    "First",
    "KnownFor",
    "Latest",
    "Measure",
    "None_",
    "Not",
    "RollingEvents",
    "Sample",
    "Sequence",
    "SequenceEvent",
    "SequenceStep",
    "ThenNot",
    "TraitIs",
    "canonical",
    "children",
    "parse_condition",
    "places",
]
