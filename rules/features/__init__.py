"""What is remembered of a contact: the least that the conditions need, whatever the contact does.

A feature is named by its content (which events, which property), never by the segment that asks for it. So segments
share equal features, and editing one segment leaves what the others remember alone.
"""

from rules.features.amounts import RollingAmount, TotalAmount
from rules.features.chains import Chains, ChainStep
from rules.features.distinct import Date, Property, RollingKeys, TotalKeys
from rules.features.extremes import RollingExtreme, TotalExtreme
from rules.features.feature import Feature, Fold, Source, guard_of
from rules.features.latest import PropertyValue, order_of
from rules.features.limits import Limit
from rules.features.occurrences import Occurrences, Total
from rules.features.traits import TraitValue

__all__ = [
    "ChainStep",
    "Chains",
    "Date",
    "Feature",
    "Fold",
    "Limit",
    "Occurrences",
    "Property",
    "PropertyValue",
    "RollingAmount",
    "RollingExtreme",
    "RollingKeys",
    "Source",
    "Total",
    "TotalAmount",
    "TotalExtreme",
    "TotalKeys",
    "TraitValue",
    "guard_of",
    "order_of",
]
