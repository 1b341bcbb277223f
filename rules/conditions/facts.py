"""Conditions on what a contact is (contract, section 4.1)."""

from pydantic import Field

from rules.fields import DurationMs, FilledText, Percent, Text
from rules.value_tests import IfGiven, ValueTests, Written


class TraitIs(ValueTests):
    """A trait of the contact passes its tests."""

    trait: FilledText = Field(description="The path of the trait to test.")


class KnownFor(Written):
    """The contact has been known for some time."""

    known_for_ms: DurationMs = Field(
        alias="known_for", description="The contact's first event is so long ago."
    )


class Sample(Written):
    """A stable percentage of contacts."""

    sample: Percent = Field(description="Percent of contacts, with at most two decimals.")
    seed: IfGiven[Text] = Field(
        None, description="Equal seeds choose the same contacts; the segment's key if absent."
    )
