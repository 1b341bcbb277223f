"""Dead letters that their topic does not take whole: each is there once, with the beginning of its record, and none of
what came with it is lost or there twice."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import cramjam
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.record._crecords import default_records
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams.connections import KafkaConnection
from streams.intake import home
from streams.local import kafka_node
from streams.outbox import Output
from streams.publisher import KafkaPublisher
from streams.rebuild.log import opened
from streams.wire import Reason, Rejected, dead_letter_headers
from tests.integration.conftest import Install
from tests.integration.history import START_MS, Sent
from tests.integration.installation import Installation, assert_came_true, outcome
from tests.integration.probing import Probed
from tests.servers import own_kafka

MIB = 1024 * 1024
KEPT = 64 * 1024
DELIVERIES = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])


def _contact(number: int, partition: int) -> str:
    return next(name for n in range(100) if home(name := f"c{number}-{n}", 4) == partition)


def _bought(number: int, partition: int) -> Sent:
    contact = _contact(number, partition)
    said = {"type": "track", "event": "Order Completed", "userId": contact, "properties": {"total": 150}}
    return Sent(contact.encode(), json.dumps(said).encode(), START_MS + number)


def _packed_by_far(blocks: int) -> bytes:
    """Text that repeats itself over 4 MiB: who looks as far back packs it to less than 1 MiB, whoever does not to six
    times as much and more."""
    return bytes(random.Random(7).choices(b"abc", k=4 * MIB)) * blocks


def _packing_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a producer of another make may."""
    monkeypatch.setattr(
        default_records, "zstd_encode", lambda packed: bytes(cramjam.zstd.compress(packed, level=19))
    )


async def _send(
    installation: Installation,
    records: Sequence[tuple[bytes, bytes]],
    partition: int,
    compression: str | None,
) -> None:
    """Those that fit into one batch are sent in one."""
    async with AIOKafkaProducer(
        bootstrap_servers=installation.kafka,
        compression_type=compression,
        max_batch_size=64 * MIB,
        linger_ms=50,
    ) as producer:
        batch = producer.create_batch()
        for key, value in records:
            batch.append(
                timestamp=START_MS, key=key, value=value, headers=[("received_at", b"%d" % START_MS)]
            )
        batch.close()
        await (await producer.send_batch(batch, installation.topics.events, partition=partition))


def _take_at_most(installation: Installation, topic: str, max_bytes: int) -> None:
    with KafkaAdminClient(bootstrap_servers=installation.kafka) as admin:
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(max_bytes)})]
        )


def _assert_short(letter: ConsumerRecord, key: bytes, value: bytes, offset: int) -> None:
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (key, value[:KEPT])
    assert headers["cut_value_bytes"] == b"%d" % len(value)
    assert headers["cut_value_sha256"] == sha256(value).hexdigest().encode()
    assert (headers["reason"], headers["source_offset"]) == (b"too_large", b"%d" % offset)


@DELIVERIES
async def test_a_record_that_its_producer_packed_better_than_we_do_becomes_a_short_dead_letter(
    install: Install, delivery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, value = install(), _packed_by_far(6)
    before, after = [_bought(n, 1) for n in range(20)], [_bought(n, 1) for n in range(20, 40)]
    await installation.produce(before)
    with monkeypatch.context() as patched:
        _packing_better(patched)
        await _send(installation, [(b"far", value)], 1, "zstd")
    await installation.produce(after)
    probed = Probed(installation, {"delivery": delivery})
    await installation.drained()
    (letter,) = await installation.read(installation.topics.dead_letters)
    _assert_short(letter, b"far", value, 20)
    await probed.until_ready()
    assert probed.total("segments_dead_letters_shortened_total") == 1
    probed.worker.stop()
    said = probed.worker.said()
    assert (
        f"the dead letter of {installation.topics.events}/1, offset 20, whole ({len(value) + 3:,} bytes)"
        in said
    )
    assert await installation.unpublished() == []
    found = await installation.read(installation.topics.transitions)
    assert len({dict(record.headers)["ce_id"] for record in found}) == len(found)
    assert {record.key for record in found} == {sent.key for sent in before + after}


@DELIVERIES
@pytest.mark.timeout(180)
async def test_kills_between_many_short_dead_letters_lose_nothing_and_repeat_nothing(
    install: Install, delivery: str
) -> None:
    """The topic takes less than that of the events, and each batch brings events, letters that it takes and others."""
    installation, chance, bad = install(), random.Random(11), _contact(0, 1).encode()
    _take_at_most(installation, installation.topics.dead_letters, 100_000)
    sent = [
        each
        for n in range(40)
        for each in (
            _bought(3 * n, 1),
            Sent(bad, b"{%d" % n, START_MS),
            # Printable, and no packing makes it fit.
            Sent(bad, chance.randbytes(100_000).hex().encode(), START_MS),
        )
    ]  # fmt: skip
    expected = outcome(sent)
    assert len(expected.dead_letters) == 80
    expected.dead_letters = sorted(value[:KEPT] for value in expected.dead_letters)
    await installation.produce(sent, at_once=len(sent))
    probed = Probed(installation, {"delivery": delivery, "instance": "the-one"})
    for enough in (5, 20, 45):
        await _until_there_are(installation, enough)
        probed.worker.kill()
        probed.worker.start()
    await installation.drained()
    await _until_there_are(installation, 80)
    await probed.until_ready()
    probed.worker.stop()
    await assert_came_true(installation, expected)
    letters = await installation.read(installation.topics.dead_letters)
    offsets = [int(dict(letter.headers)["source_offset"]) for letter in letters]
    assert offsets == sorted(set(offsets))


async def _until_there_are(installation: Installation, letters: int, timeout_s: float = 60) -> None:
    """Returns when so many records stand on the topic of dead letters, decided or not."""
    until = time.monotonic() + timeout_s
    while sum((await installation.ends(installation.topics.dead_letters)).values()) < letters:
        assert time.monotonic() < until, installation.workers[-1].said()
        await asyncio.sleep(0.01)


@pytest.mark.timeout(60)
async def test_long_dead_letters_of_several_partitions_do_not_become_one_request(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker takes requests of 100 MiB by default, and closes the connection on a longer one, each time anew."""
    monkeypatch.setattr(kafka_node, "_SETTINGS", kafka_node._SETTINGS + "socket.request.max.bytes=16000000\n")
    (folder := tmp_path / "kafka").mkdir()
    with own_kafka(folder) as server:
        installation, value = install(kafka=server.bootstrap), random.Random(3).randbytes(6 * MIB)
        publisher = KafkaPublisher(KafkaConnection((server.bootstrap,)))
        said = Rejected(Reason.TOO_LARGE, "is long")
        await publisher.publish(
            [
                Output(
                    installation.topics.dead_letters, number, b"k", value,
                    dead_letter_headers(
                        said, source_topic="events", source_partition=number, source_offset=7, received_ms=1, failed_ms=2
                    ),
                )
                for number in range(4)
            ]
        )  # fmt: skip
        await publisher.stop()
        letters = await installation.read(installation.topics.dead_letters)
        assert sorted(letter.partition for letter in letters) == [0, 1, 2, 3]
        for letter in letters:
            _assert_short(letter, b"k", value, 7)


async def test_a_topic_that_does_not_take_the_short_form_either_stops_the_partition_until_it_takes_more(
    install: Install,
) -> None:
    installation, value = install(), random.Random(13).randbytes(100_000).hex().encode()
    _take_at_most(installation, installation.topics.dead_letters, 20_000)
    contact = _contact(0, 1).encode()
    others = [_bought(n, 2) for n in range(20)]
    await installation.produce([Sent(contact, value, START_MS), *others])
    probed = Probed(installation)
    said = await probed.until_stands("kafka_error", {1})
    assert (
        f"{installation.topics.dead_letters} does not take a record of {KEPT + len(contact):,} bytes" in said
    )
    assert "raise its max.message.bytes" in said
    await installation.drained(published=False)
    assert {record.key for record in await installation.read(installation.topics.transitions)} == {
        sent.key for sent in others
    }
    _take_at_most(installation, installation.topics.dead_letters, 1_000_000)
    await probed.until_ready()
    (letter,) = await installation.read(installation.topics.dead_letters)
    assert (letter.key, letter.value) == (contact, value)
    assert "cut_value_bytes" not in dict(letter.headers)
    assert probed.total("segments_dead_letters_shortened_total") == 0
    probed.worker.stop()


@DELIVERIES
@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_batch_that_unpacks_to_too_much_becomes_one_dead_letter_and_what_is_around_it_is_taken(
    install: Install, delivery: str, compression: str
) -> None:
    installation = install()
    before, after = [_bought(n, 1) for n in range(10)], [_bought(n, 1) for n in range(10, 20)]
    await installation.produce(before)
    # The first one is of as much as is taken, but for some bytes.
    for value in (b"x" * (8 * MIB - 300), b"x" * (8 * MIB)):
        await _send(installation, [(b"u", b"1"), (b"u", value), (b"u", b"3")], 1, compression)
    await installation.produce(after)
    probed = Probed(installation, {"delivery": delivery, "unpacked_mib": "8"})
    await installation.drained()
    await probed.until_ready()
    probed.worker.stop()
    letters = await installation.read(installation.topics.dead_letters)
    assert [dict(letter.headers)["source_offset"] for letter in letters] == [b"10", b"11", b"12", b"15"]
    assert [dict(letter.headers)["reason"] for letter in letters] == [
        b"not_an_object", b"too_large", b"not_an_object", b"too_large",
    ]  # fmt: skip
    headers = dict(letters[-1].headers)
    assert (letters[-1].key, letters[-1].value) == (None, None)
    assert headers["detail"] == b"its batch unpacks to more than 8 MiB (SEGMENTS_UNPACKED_MIB)"
    assert (headers["cut_batch_begin"], headers["cut_value_bytes"]) == (b"13", b"unknown")
    assert int(headers["cut_batch_bytes"]) < MIB
    assert await installation.unpublished() == []
    found = await installation.read(installation.topics.transitions)
    assert {record.key for record in found} == {sent.key for sent in before + after}
    assert "offsets 13 to 15" in probed.worker.said()
    # A rebuild sees the same, or all of it where it may.
    for limit, offsets in ((8 * MIB, [*range(13), *range(15, 26)]), (64 * MIB, [*range(26)])):
        place = (installation.topics.events, 1)
        async with opened(KafkaConnection((installation.kafka,)), [place], limit) as log:
            assert [record.offset async for some in log.all([place]) for record in some] == offsets
