"""What a cluster says of its nodes, in all the ways in which it may say it."""

from typing import Any

import pytest
from redis.crc import key_slot

from streams.store.nodes import Address, owners, slot_of

ASKED = Address("redis.example", 6379)


@pytest.mark.parametrize(
    ("told", "host"),
    [(b"10.0.0.7", "10.0.0.7"), (b"node-7.example", "node-7.example"), (b"fd00::7", "fd00::7"),
     (b"", "redis.example"), (None, "redis.example")],
)  # fmt: skip
def test_a_node_is_where_it_is_said_to_be_or_where_it_was_asked(told: bytes | None, host: str) -> None:
    found = owners([[0, 2, [told, 7000, b"id", []], [b"10.0.0.8", 7001, b"id", []]]], ASKED)
    assert found == dict.fromkeys((0, 1, 2), Address(host, 7000))


def test_a_node_that_does_not_know_its_name_has_no_slots() -> None:
    assert owners([[0, 2, [b"?", 7000, b"id"]], [3, 3, [b"a", 7000, b"id"]]], ASKED) == {
        3: Address("a", 7000)
    }


@pytest.mark.parametrize(
    "told", [None, 7, [7], [[1, 2]], [[b"x", 2, [b"a", 1]]], [[1, 2, []]], [[1, 2, [7, 1]]]]
)
def test_an_answer_that_is_none_is_refused(told: Any) -> None:
    with pytest.raises(ValueError):
        owners(told, ASKED)


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("redis://redis.example", "redis://10.0.0.7:7000"),
        ("redis://redis.example:6379/0", "redis://10.0.0.7:7000/0"),
        ("rediss://u%40x:p%3Aw@[::1]:6380/0?ssl_ca_certs=/a/b.pem", "rediss://u%40x:p%3Aw@10.0.0.7:7000/0?ssl_ca_certs=/a/b.pem"),
        ("unix://u:p@/run/redis.sock?db=0", "redis://u:p@10.0.0.7:7000?db=0"),
    ],
)  # fmt: skip
def test_user_password_and_options_hold_for_every_node(url: str, there: str) -> None:
    assert Address("10.0.0.7", 7000).put_into(url) == there


def test_an_address_of_version_6_is_written_in_brackets() -> None:
    assert Address("fd00::7", 7000).put_into("redis://a/0") == "redis://[fd00::7]:7000/0"
    assert Address.of("redis://[fd00::7]:7000/0") == Address("fd00::7", 7000)


def test_a_command_goes_where_its_first_key_is() -> None:
    slot = key_slot(b"3")
    assert slot_of(("GET", "g:{3}:state")) == slot_of(("GET", b"g:{3}:state")) == slot
    assert slot_of(("EVALSHA", "{4}", 2, "g:{3}:state", "g:{3}:meta", "{5}")) == slot
    assert slot_of(("EVAL", b"return {1}", 1, "g:{3}:state")) == slot
