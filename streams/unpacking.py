"""Whether a packed batch unpacks to more than a limit, known before it is unpacked: what its producer says counts nothing.

The most that a codec can make of a batch's bytes is enough for nearly every batch. Where that is more than the limit, it
is unpacked once into memory of that size, which costs what it takes and no more, and is dropped.
"""

import zlib
from enum import IntEnum

import cramjam


class Codec(IntEnum):
    """As Kafka numbers them in a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


_MOST_TIMES: dict[int, int] = {
    Codec.NONE: 1,
    Codec.GZIP: 1032,
    Codec.SNAPPY: 22,
    Codec.LZ4: 255,
    Codec.ZSTD: 2**19,
}
"""To how much a byte unpacks at most. With zstd four bytes may say that another is repeated two million times."""
_ZSTD_MAGIC, _ZSTD_SKIPPABLE = 0xFD2FB528, 0x184D2A50
_ZSTD_BLOCK_BYTES = 128 * 1024
"""What a block unpacks to at most."""
_XERIAL, _XERIAL_BYTES = b"\x82SNAPPY\x00", 16
"""With what snappy begins as Java writes it, in blocks; and how long that beginning is."""
_ZSTD_LEAST_BYTES = 8 * 1024
"""As how much the smallest block counts, so that a batch of empty ones is not looked at for long."""
_ID_BYTES, _SIZE_BYTES = (0, 1, 2, 4), (0, 2, 4, 8)
_STEP_BYTES = 1024 * 1024
_NO_ROOM = "failed to write whole buffer"
"""What the codecs say where there is more than fits; anything else is a batch that is broken."""


def may_exceed(codec: int, packed: memoryview, limit_bytes: int) -> bool:
    """Whether it could unpack to more; says so, too, where the bytes are not those of the codec."""
    times = _MOST_TIMES.get(codec)
    if times is not None and len(packed) * times <= limit_bytes:
        return False
    if codec == Codec.ZSTD:
        most = _most_of_zstd(packed, limit_bytes)
        return most is None or most > limit_bytes
    return True


def exceeds(codec: int, packed: memoryview, limit_bytes: int) -> bool:
    """Whether it does. False also of what cannot be unpacked: who unpacks it says so."""
    match codec:
        case Codec.GZIP:
            return _gzip_exceeds(packed, limit_bytes)
        case Codec.SNAPPY:
            return _snappy_exceeds(packed, limit_bytes)
        case Codec.LZ4:
            return _no_room(cramjam.lz4.decompress_into, packed, limit_bytes)
        case Codec.ZSTD:
            return _no_room(cramjam.zstd.decompress_into, packed, limit_bytes)
        case _:
            return codec == Codec.NONE


def _no_room(unpack_into: object, packed: memoryview, limit_bytes: int) -> bool:
    assert callable(unpack_into)
    try:
        # The pages of a new buffer are taken as they are written.
        unpack_into(packed, bytearray(limit_bytes))
    except cramjam.DecompressionError as error:
        return str(error) == _NO_ROOM
    return False


def _gzip_exceeds(packed: memoryview, limit_bytes: int) -> bool:
    """Member after member, as they are unpacked as one."""
    size, rest = 0, bytes(packed)
    try:
        while rest:
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                step = len(member.decompress(rest, _STEP_BYTES))
                size, rest = size + step, member.unconsumed_tail
                if size > limit_bytes:
                    return True
                if not step and not rest:
                    break
            rest = member.unused_data
    except zlib.error:
        return False
    return False


def _snappy_exceeds(packed: memoryview, limit_bytes: int) -> bool:
    """Each block begins with how much it is, and its reader refuses one that is something else."""
    size, at = 0, _XERIAL_BYTES
    try:
        if packed[: len(_XERIAL)] != _XERIAL:
            return int(cramjam.snappy.decompress_raw_len(packed)) > limit_bytes
        while at < len(packed) and size <= limit_bytes:
            block_bytes = int.from_bytes(packed[at : at + 4], "big", signed=True)
            if block_bytes <= 0:
                return False
            size += int(cramjam.snappy.decompress_raw_len(packed[at + 4 : at + 4 + block_bytes]))
            at += 4 + block_bytes
    except cramjam.DecompressionError:
        return False
    return size > limit_bytes


def _most_of_zstd(packed: memoryview, enough: int) -> int | None:
    """What the blocks of all frames are at most, by their headers alone: three bytes for each 128 KiB; no further than
    ``enough``. None where they are no frames."""
    most, at = 0, 0
    while at < len(packed) and most <= enough:
        magic, at = _number(packed, at, 4), at + 4
        if magic & ~0xF == _ZSTD_SKIPPABLE:
            at += 4 + _number(packed, at, 4)
            continue
        if magic != _ZSTD_MAGIC:
            return None
        of_frame, at = _most_of_frame(packed, at, enough)
        most += of_frame
    return most


def _most_of_frame(packed: memoryview, at: int, enough: int) -> tuple[int, int]:
    """And where it ends: beyond the end, where it is cut off."""
    said = _number(packed, at, 1)
    single, has_checksum = said >> 5 & 1, said >> 2 & 1
    size_bytes = _SIZE_BYTES[said >> 6] or single
    at += 1 + (1 - single) + _ID_BYTES[said & 3] + size_bytes
    most, last = 0, 0
    while not last and at < len(packed) and most <= enough:
        block, at = _number(packed, at, 3), at + 3
        last, kind, size = block & 1, block >> 1 & 3, block >> 3
        # A raw block is as long as it says, one of a repeated byte has one byte, and unpacks to what it says.
        most += max(size, _ZSTD_LEAST_BYTES) if kind in (0, 1) else _ZSTD_BLOCK_BYTES
        at += 1 if kind == 1 else size
    return most, at + 4 * has_checksum


def _number(packed: memoryview, at: int, length: int) -> int:
    return int.from_bytes(packed[at : at + length], "little")
