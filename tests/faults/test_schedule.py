"""A seed says which faults come in which order, and the command that is printed repeats all that was asked for."""

import shlex
from itertools import islice

from tests.faults.__main__ import _again, _options
from tests.faults.faults import FAULTS
from tests.faults.schedule import for_minutes


def _names(seed: int, count: int) -> list[str]:
    return [fault.name for fault in islice(for_minutes(seed, minutes=60), count)]


def test_every_kind_comes_once_before_any_comes_again_in_an_order_of_the_seed() -> None:
    count = len(FAULTS)
    found = _names(7, 2 * count)
    assert set(found[:count]) == set(found[count:]) == set(FAULTS)
    assert found == _names(7, 2 * count)
    assert found != _names(8, 2 * count)


def test_no_fault_begins_that_has_not_the_time_to_end() -> None:
    longest = max(FAULTS.values(), key=lambda fault: fault.about_s)
    found = list(islice(for_minutes(1, minutes=longest.about_s / 120), 100))
    assert len(found) == 100
    assert longest not in found


def test_the_printed_command_is_the_same_run() -> None:
    asked = _options(shlex.split("--seed 7 --minutes 5 --workers 3 --fault 'broker away' --clock events"))
    assert _options(_again(asked)) == asked
    assert _options(shlex.split(shlex.join(_again(asked)))) == asked
    assert _options(_again(by_chance := _options([]))) == by_chance
