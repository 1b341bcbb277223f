"""Generated functions: those of the same shape have one code, and each its own names and numbers."""

import random
from collections import Counter
from itertools import permutations, product

import pytest

from rules.catalog import Blueprint, Catalog
from rules.contact import Contact, Membership
from rules.definitions import Definitions
from rules.event import Event
from rules.features import Occurrences
from rules.numbering import Numbering
from rules.panel import MOST_IN_ONE, Panel
from rules.program import Judge
from rules.segment import Segment
from rules.verdict import NEVER, SHIFT_MS

DAY_MS = 86_400_000


def _catalog(*conditions: dict[str, object]) -> Catalog:
    segments = [
        Segment.model_validate({"key": f"s{number:03}", "when": condition})
        for number, condition in enumerate(conditions)
    ]
    return Blueprint(Definitions(tuple(segments))).catalog()


def _code(judge: object) -> object:
    return getattr(judge, "__code__")  # noqa: B009 - not every callable has one


def _holds(judge: Judge, contact: Contact, days: int) -> bool:
    return judge(contact.features, days * DAY_MS + SHIFT_MS, contact) > 0


def test_segments_that_differ_in_names_and_times_alone_share_their_code() -> None:
    week, month = _catalog({"did": "Signed Up", "within": "7d"}, {"did": "Paid", "within": "30d"}).programs
    assert _code(week.judge) is _code(month.judge)
    assert _code(week.tell) is _code(month.tell)
    contact = Contact(id="c", now_ms=0, first_received_ms=0)
    contact.features[week.leaves[0].number] = [0]
    assert [_holds(week.judge, contact, days) for days in (6, 7)] == [True, False]
    assert not _holds(month.judge, contact, 6)
    contact.features[month.leaves[0].number] = [0]
    assert [_holds(month.judge, contact, days) for days in (7, 29, 30)] == [True, True, False]
    assert [observed for _, observed, _ in month.evidence(contact, 8 * DAY_MS)] == [1]
    assert [(text, holds) for text, _, holds in week.evidence(contact, 8 * DAY_MS)] == [
        (week.leaves[0].text, False)
    ]


def test_many_segments_of_one_event_are_judged_as_few_are() -> None:
    conditions: list[dict[str, object]] = [
        {"did": "Bought", "within": f"{days}d", "at_least": 1 + days % 3}
        if days % 2
        else {"all": [{"did": "Bought"}, {"did_not": "Bought", "within": f"{days}d"}]}
        for days in range(1, MOST_IN_ONE + 30)
    ]
    catalog = _catalog(*conditions)
    contact = Contact(id="c", now_ms=0, first_received_ms=0)
    times = [days * DAY_MS for days in (0, 2, 9)]
    *_, panel = [
        catalog.fold(contact.features, Event("c", "track", "Bought", at_ms, at_ms, None, {}, {}, {}))
        for at_ms in times
    ]
    assert len(panel.programs) == len(conditions) > MOST_IN_ONE
    of_all = {program.number: Membership() for program in panel.programs}
    for at_ms, contact.memberships in product((9 * DAY_MS, 20 * DAY_MS, 90 * DAY_MS), ({}, of_all)):
        alone = [
            verdict for program in panel.programs for verdict in Panel([program]).verdicts(contact, at_ms)
        ]
        assert panel.verdicts(contact, at_ms) == alone
        assert any(verdict > 0 for _, verdict in alone)


def test_what_several_segments_need_is_asked_once_and_changes_none_of_their_verdicts() -> None:
    def did(name: str, low: int, days: int, **more: object) -> dict[str, object]:
        return {"did": name, "within": f"{days}d", "at_least": low, **more}

    conditions: list[dict[str, object]] = [
        {"all": [did("A", 3, 9), did("B", 1, 7)]},
        {"all": [did("A", 2, 8), did("B", 2, 5), {"did": "A", "sum": "n", "within": "9d", "at_least": 12}]},
        {"any": [{"all": [did("A", 2, 4), did("B", 1, 9)]}, did("B", 3, 3)]},
        {"all": [did("B", 1, 9, at_most=2), {"not": did("A", 2, 6)}]},
        {"not": {"all": [did("A", 1, 2), did("B", 1, 2)]}},
        {"all": [did("B", 2, 6), {"any": [did("A", 1, 5), did("A", 4, 9)]}]},
        {"none": [did("A", 2, 3), did("B", 3, 9)]},
        {"all": [{"any": [did("A", 1, 7)]}, {"any": [did("A", 2, 9), did("B", 2, 9)]}]},
        did("A", 3, 5),
    ]
    conditions += [{"all": [did("A", 1, days), did("B", 1, days)]} for days in (2, 3, 4, 5)]
    catalog = _catalog(*conditions)
    panel, programs, chance = Panel(catalog.programs), catalog.programs, random.Random(5)
    seen = Counter[tuple[str, bool]]()
    for _ in range(2_000):
        contact = Contact(id="c", now_ms=0, first_received_ms=0)
        for name in chance.choices("AB", k=chance.randrange(8)):
            at_ms = chance.randrange(10) * DAY_MS
            event = Event("c", "track", name, at_ms, 9 * DAY_MS, None, {"n": chance.randrange(9)}, {}, {})
            catalog.fold(contact.features, event)
        contact.memberships = {
            program.number: Membership() for program in chance.sample(programs, chance.choice((0, 0, 1, 3)))
        }
        at_ms = chance.randrange(9, 20) * DAY_MS
        alone = [
            (program, program.judge(contact.features, at_ms + SHIFT_MS, contact)) for program in programs
        ]
        assert panel.verdicts(contact, at_ms) == [
            (program, verdict)
            for program, verdict in alone
            if verdict != NEVER or program.number in contact.memberships
        ]
        seen.update((program.key, verdict > 0) for program, verdict in alone)
    assert len(seen) == 2 * len(programs), "each was true and false"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"did": "A", "within": "1d", "at_least": 3}, {"A": 3}),
        ({"did": "A", "within": "1d", "at_least": 2, "at_most": 4}, {"A": 2}),
        ({"did": "A", "within": "1d", "at_most": 4, "at_least": 0}, {}),
        ({"did_not": "A", "within": "1d"}, {}),
        ({"not": {"did": "A", "within": "1d"}}, {}),
        ({"did": "A"}, {}),
        ({"all": [{"did": "A", "within": f"{low}d", "at_least": low} for low in (1, 3, 2)]}, {"A": 3}),
        ({"all": [{"did": name, "within": "1d"} for name in "AB"]}, {"A": 1, "B": 1}),
        ({"any": [{"did": "A", "within": f"{low}d", "at_least": low} for low in (3, 2, 4)]}, {"A": 2}),
        ({"any": [{"did": name, "within": "1d"} for name in "AB"]}, {}),
    ],
)
def test_what_a_segment_needs_is_what_it_cannot_hold_without(
    condition: dict[str, object], expected: dict[str, int]
) -> None:
    (program,) = _catalog(condition).programs
    names = {
        leaf.number: name
        for leaf in program.leaves
        for name in "AB"
        if isinstance(leaf.feature, Occurrences) and leaf.feature.source.names == (name,)
    }
    assert {names[number]: low for number, low in program.least.items()} == expected


def test_panels_of_one_shape_share_their_code_whatever_the_numbers_of_their_features() -> None:
    pairs = [("A", "B"), ("B", "C"), ("C", "A")]
    segments = [
        Segment.model_validate(
            {"key": key, "when": {"all": [{"did": name, "within": "1d"} for name in pair]}}
        )
        for key, pair in zip("abc", pairs, strict=True)
    ]
    blueprint, codes = Blueprint(Definitions(tuple(segments))), set()
    for keys in permutations(blueprint.features):
        numbers = {key: number for number, key in enumerate(keys)}
        programs = blueprint.catalog(Numbering(numbers, {"a": 0, "b": 1, "c": 2})).programs
        panel, contact = Panel(programs), Contact(id="c", now_ms=0, first_received_ms=0)
        contact.features = {number: [0] for number in numbers.values()}
        assert [program for program, _ in panel.verdicts(contact, 0)] == list(programs)
        assert panel._of_others is not None
        codes.add(panel._of_others[0])
    assert len(codes) == 1


@pytest.mark.parametrize("windows", ["5d 1d", "1d 5d", "5d 1d 3d", "3d 5d 1d"])
def test_all_hold_until_the_first_of_them_ends(windows: str) -> None:
    conditions: list[dict[str, object]] = [
        {"did": f"E{number}", "within": within} for number, within in enumerate(windows.split())
    ]
    catalog = _catalog({"all": conditions})
    (program,) = catalog.programs
    contact = Contact(id="c", now_ms=0, first_received_ms=0)
    contact.features = {number: [0] for number in catalog.feature_numbers}
    assert program.judge(contact.features, SHIFT_MS, contact) == DAY_MS + SHIFT_MS
    for contact.memberships in ({}, {program.number: Membership()}):
        assert Panel([program]).verdicts(contact, 0) == [(program, DAY_MS + SHIFT_MS)]


def test_as_many_conditions_as_a_segment_may_have_are_taken_in_one() -> None:
    conditions = [{"did": f"E{number}", "within": "7d"} for number in range(99)]
    catalog = _catalog({"all": conditions})
    catalog.prepare()
    contact, verdicts = Contact(id="c", now_ms=0, first_received_ms=0), []
    for number in range(99):
        event = Event("c", "track", f"E{number}", 0, 0, None, {}, {}, {})
        verdicts.append(catalog.fold(contact.features, event).verdicts(contact, 0))
    (program,) = catalog.programs
    assert verdicts[-2:] == [[], [(program, 7 * DAY_MS + SHIFT_MS)]]


def test_conditions_in_conditions_are_taken_as_deep_and_as_many_as_a_segment_may_have() -> None:
    condition: dict[str, object] = {
        "all": [{"did": f"E{number}", "at_least": 2, "within": "7d"} for number in range(45)]
    }
    for number in range(18):
        # One that is asked first, and one that is asked after it.
        condition = {"all": [{"did": "E1"}, {"did": "E2", "sum": f"p{number}", "at_least": 1}, condition]}
    catalog = _catalog(condition)
    catalog.prepare()
    contact = Contact(id="c", now_ms=0, first_received_ms=0)
    properties = {f"p{number}": 1 for number in range(18)}
    verdicts = []
    for name in [f"E{number}" for number in range(45)] * 2:
        event = Event("c", "track", name, 0, 0, None, properties, {}, {})
        verdicts.append(catalog.fold(contact.features, event).verdicts(contact, 0))
    (program,) = catalog.programs
    assert verdicts[-2:] == [[], [(program, 7 * DAY_MS + SHIFT_MS)]]
    assert [_holds(program.judge, contact, days) for days in (6, 7)] == [True, False]


def test_what_gives_the_verdicts_is_made_before_the_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    segments = [
        Segment.model_validate({"key": key, "when": when})
        for key, when in {
            "bought": {"did": "Bought", "within": "1d"},
            "phone": {"latest": "*", "property": "device", "is": "phone"},
        }.items()
    ]
    catalog = Blueprint(Definitions(tuple(segments))).catalog()
    catalog.prepare()

    def made(*_: object) -> None:
        raise AssertionError("made when an event came")

    monkeypatch.setattr(Panel, "_made", made)
    contact = Contact(id="c", now_ms=0, first_received_ms=0)
    # Of nobody's segment, so that it changes what is asked, and not what is found.
    contact_in_another, none = {99: Membership()}, dict[int, Membership]()
    for device, contact.memberships, expected in (
        ("phone", none, {"bought", "phone"}),
        ("phone", none, {"bought"}),
        ("tablet", none, {"bought"}),
        ("phone", contact_in_another, {"bought", "phone"}),
        ("phone", contact_in_another, {"bought"}),
    ):
        event = Event("c", "track", "Bought", 0, 0, None, {"device": device}, {}, {})
        found = catalog.fold(contact.features, event).verdicts(contact, 0)
        assert {program.key for program, _ in found} == expected


def test_only_so_many_are_made_before_the_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Panel] = []

    def make(panel: Panel, _: object) -> tuple[object, tuple[object, ...]]:
        made.append(panel)
        return print, ()

    monkeypatch.setattr(Panel, "_made", make)
    monkeypatch.setattr("rules.catalog.MOST_PREPARED", 6)
    conditions: list[dict[str, object]] = [{"did": f"E{number}"} for number in range(20)]
    _catalog(*conditions).prepare()
    assert len(made) == 6, "two functions for each of three names"
