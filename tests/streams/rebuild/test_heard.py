"""What of a rebuilt history is news, and how what consumers have is gone on from."""

import pytest

from rules.catalog import Blueprint, Catalog
from rules.contact import Contact, Membership
from rules.numbering import Numbering
from rules.step import Transition
from streams.rebuild.heard import Ear, hear
from tests.properties.engine import definitions_of

NUMBER = 1
EVER = float("-inf")


def _catalog() -> Catalog:
    blueprint = Blueprint(
        definitions_of([{"key": "s", "when": {"did": "E"}}, {"key": "t", "when": {"did": "F"}}])
    )
    features = {key: number for number, key in enumerate(blueprint.features, start=1)}
    return blueprint.catalog(Numbering(features, {"s": NUMBER, "t": 2}))


@pytest.fixture
def ear() -> Ear:
    return Ear(_catalog(), EVER)


def _rebuilt(
    contact: Contact, *moments_ms: int, segment: str = "s", number: int = NUMBER
) -> list[Transition]:
    """Transitions at these moments, and the contact as it is after them."""
    membership = contact.memberships.setdefault(number, Membership())
    made = []
    for at_ms in moments_ms:
        since_ms, membership.since_ms = membership.since_ms, at_ms
        membership.sequence += 1
        entered = membership.is_member
        member_for_ms = None if entered else at_ms - since_ms
        made.append(
            Transition(
                contact.id, segment, entered, membership.sequence, at_ms, "event", None, member_for_ms, 1, []
            )
        )
    return made


def _news(ear: Ear, contact: Contact, transitions: list[Transition]) -> list[tuple[int, int, int | None]]:
    return [(t.sequence, t.at_ms, t.member_for_ms) for t in ear.news(transitions, lambda _: contact)]


def test_what_was_never_published_is_news_as_it_is(ear: Ear) -> None:
    contact = Contact("c")
    assert _news(ear, contact, _rebuilt(contact, 10, 20)) == [(1, 10, None), (2, 20, 10)]


def test_what_was_published_is_no_news_and_what_follows_it_is(ear: Ear) -> None:
    contact = Contact("c")
    hear(contact, NUMBER, 2, 20)
    assert _news(ear, contact, _rebuilt(contact, 10, 20, 30)) == [(3, 30, None)]
    assert _news(ear, contact, _rebuilt(contact, 40)) == [(4, 40, 10)]


def test_of_one_moment_the_half_that_was_not_published_is_news(ear: Ear) -> None:
    contact = Contact("c")
    hear(contact, NUMBER, 1, 20)
    assert _news(ear, contact, _rebuilt(contact, 20, 20, 20)) == [(2, 20, 0), (3, 20, None)]


def test_a_shorter_history_goes_on_from_the_longer_one_that_consumers_have(ear: Ear) -> None:
    contact = Contact("c")
    hear(contact, NUMBER, 5, 50)
    # Of what was published only the last enter is still to be seen; its exit never was.
    assert _news(ear, contact, _rebuilt(contact, 50)) == []
    assert _news(ear, contact, _rebuilt(contact, 60, 70, 80)) == [(6, 60, 10), (7, 70, None), (8, 80, 10)]
    assert contact.memberships[NUMBER] == Membership(8, 80)


def test_what_consumers_believe_already_is_not_told_again_when_it_comes_later(ear: Ear) -> None:
    contact = Contact("c")
    hear(contact, NUMBER, 3, 30)
    assert _news(ear, contact, _rebuilt(contact, 40, 55)) == [(4, 55, 25)]
    assert contact.memberships[NUMBER] == Membership(4, 55)


def test_a_membership_that_consumers_know_keeps_the_moment_that_they_have(ear: Ear) -> None:
    contact = Contact("c")
    hear(contact, NUMBER, 3, 30)
    assert _news(ear, contact, _rebuilt(contact, 40)) == []
    assert contact.memberships[NUMBER] == Membership(3, 30)


def test_nothing_comes_before_what_consumers_have_of_another_segment(ear: Ear) -> None:
    contact = Contact("c")
    hear(contact, 2, 1, 100)
    assert _news(ear, contact, _rebuilt(contact, 50)) == []
    corrections = ear.corrections(contact, 200, {NUMBER: "s", 2: "t"}, {})
    assert corrections is not None
    # The rebuilt history knows nothing of the other one.
    assert [(c.segment, c.entered, c.sequence, c.at_ms, c.reason) for c in corrections] == [
        ("t", False, 2, 200, "definition"),
        ("s", True, 1, 200, "definition"),
    ]


def test_what_is_older_than_all_that_is_left_counts_as_published() -> None:
    ear, contact = Ear(_catalog(), 100), Contact("c")
    assert _news(ear, contact, _rebuilt(contact, 50, 60, 70)) == []
    assert _news(ear, contact, _rebuilt(contact, 110)) == [(4, 110, 40)]


def test_where_all_agrees_nothing_is_corrected_and_numbers_are_those_that_consumers_have(ear: Ear) -> None:
    contact = Contact("c", memberships={NUMBER: Membership(1, 40)})
    hear(contact, NUMBER, 7, 30)
    assert ear.corrections(contact, 200, {NUMBER: "s"}, {}) == []
    assert contact.memberships == {NUMBER: Membership(7, 30)}
    assert ear.corrections(contact, 200, {NUMBER: "s"}, {}) is None


def test_a_segment_that_is_no_longer_defined_is_left_and_keeps_its_number(ear: Ear) -> None:
    contact = Contact("c")
    hear(contact, 9, 3, 30)
    corrections = ear.corrections(contact, 200, {9: "gone"}, {"gone": 4})
    assert corrections is not None
    (left,) = corrections
    assert (left.segment, left.entered, left.sequence, left.version) == ("gone", False, 4, 4)
    assert (left.at_ms, left.member_for_ms, left.reason) == (200, 170, "definition")
    assert contact.memberships == {9: Membership(4, 200)}


def test_the_latest_of_what_was_published_twice_counts() -> None:
    contact = Contact("c")
    for sequence, at_ms in ((1, 10), (2, 20), (1, 10)):
        hear(contact, NUMBER, sequence, at_ms)
    assert contact.memberships[-NUMBER] == Membership(2, 20)
