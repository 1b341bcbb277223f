"""Which batches unpack to more than a limit."""

import gzip
import random
from collections.abc import Callable

import cramjam
import pytest
from aiokafka import codec as kafka

from streams.unpacking import Codec, exceeds, may_exceed

MIB = 1024 * 1024
LIMIT = 8 * MIB


def _zstd(value: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(value))


def _raw_snappy(value: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(value))


PACKERS: list[tuple[Codec, Callable[[bytes], bytes]]] = [
    (Codec.GZIP, gzip.compress),
    (
        Codec.GZIP,
        lambda value: b"".join(gzip.compress(value[n : n + MIB]) for n in range(0, len(value), MIB)),
    ),
    (Codec.SNAPPY, kafka.snappy_encode),
    (Codec.SNAPPY, _raw_snappy),
    (Codec.LZ4, kafka.lz4_encode),
    (Codec.ZSTD, kafka.zstd_encode),
    (Codec.ZSTD, lambda value: b"".join(_zstd(value[n : n + MIB]) for n in range(0, len(value), MIB))),
]


def _refused(codec: int, packed: bytes) -> bool:
    """As a batch is."""
    return may_exceed(codec, memoryview(packed), LIMIT) and exceeds(codec, memoryview(packed), LIMIT)


@pytest.mark.parametrize(("codec", "pack"), PACKERS)
@pytest.mark.parametrize("said", [b"x", b"0123456789abcdef"])
def test_what_unpacks_to_more_is_refused_and_nothing_else_is(
    codec: Codec, pack: Callable[[bytes], bytes], said: bytes
) -> None:
    value = said * (LIMIT // len(said))
    assert not _refused(codec, pack(value))
    assert _refused(codec, pack(value + b"y"))
    assert not _refused(codec, pack(random.Random(1).randbytes(LIMIT)))
    assert not _refused(codec, pack(b""))


@pytest.mark.parametrize(("codec", "pack"), PACKERS)
def test_usual_batches_are_not_unpacked_to_know(codec: Codec, pack: Callable[[bytes], bytes]) -> None:
    chance = random.Random(2)
    events = b"".join(
        b'{"type":"track","userId":"u%d","event":"Viewed","properties":{"price":%d}}'
        % (chance.randrange(10_000), chance.randrange(500))
        for _ in range(1000)
    )
    packed = pack(events)
    assert not may_exceed(codec, memoryview(packed), max(LIMIT, len(packed) * 1032))


@pytest.mark.parametrize(("codec", "pack"), PACKERS)
def test_of_broken_bytes_it_is_not_said_and_never_fails(codec: Codec, pack: Callable[[bytes], bytes]) -> None:
    packed, chance = pack(b"0123456789abcdef" * (LIMIT // 32)), random.Random(3)
    for _ in range(300):
        broken = bytearray(packed[: chance.randrange(1, 2000)])
        broken[chance.randrange(len(broken))] = chance.randrange(256)
        _refused(codec, bytes(broken))
    for length in range(40):
        assert not _refused(codec, packed[:length])


def test_a_batch_that_is_not_packed_is_as_long_as_it_is_and_an_unknown_codec_is_left_to_who_unpacks_it() -> (
    None
):
    assert not _refused(Codec.NONE, bytes(LIMIT))
    assert _refused(Codec.NONE, bytes(LIMIT + 1))
    assert not _refused(7, bytes(10))
