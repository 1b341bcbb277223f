"""What is remembered of a contact: the least that the conditions need, whatever the contact does.

A feature is named by its content (which events, which property), never by the segment that asks for it. So segments
share equal features, and editing one segment leaves what the others remember alone.
"""

from rules.features.feature import Feature, Fold, Source, guard_of
from rules.features.latest import PropertyValue, order_of
from rules.features.occurrences import Occurrences, Total
from rules.features.traits import TraitValue

__all__ = [
    "Feature",
    "Fold",
    "Occurrences",
    "PropertyValue",
    "Source",
    "Total",
    "TraitValue",
    "guard_of",
    "order_of",
]
