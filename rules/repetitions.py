"""Which message ids a contact has had: the last 128, as digests of eight bytes.

Two different ids of one contact share a digest with a probability below 1e-17 per event.
"""

from hashlib import blake2b

WIDTH = 8
REMEMBERED = 128


def digest(message_id: str) -> bytes:
    """What is kept of a message id."""
    return blake2b(message_id.encode(), digest_size=WIDTH).digest()


def contains(seen: bytes | bytearray, wanted: bytes) -> bool:
    """Whether a digest is among those seen."""
    # From the end, which takes half as long as from the beginning.
    at = seen.rfind(wanted)
    while at >= 0:
        if at % WIDTH == 0:
            return True
        at = seen.rfind(wanted, 0, at + WIDTH - 1)
    return False


def remember(seen: bytearray, new: bytes) -> None:
    """Takes one more digest into those seen; the oldest goes where there is no room."""
    seen += new
    if len(seen) > WIDTH * REMEMBERED:
        # Moves nothing but the beginning.
        del seen[:WIDTH]
