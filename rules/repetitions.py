"""Which message ids a contact has had: the last 128, as digests of eight bytes.

Two different ids of one contact share a digest with a probability below 1e-17 per event.
"""

from hashlib import blake2b

WIDTH = 8
REMEMBERED = 128
_FRESH = blake2b(digest_size=WIDTH)
"""To copy it takes less than to make another one."""


def repeats(seen: bytearray, message_id: str) -> bool:
    """Whether a message id is among those seen; if not, it is from now on, and the oldest goes where there is no room."""
    hashing = _FRESH.copy()
    hashing.update(message_id.encode())
    new = hashing.digest()
    # From the end, which takes half as long as from the beginning.
    at = seen.rfind(new)
    while at >= 0:
        if at % WIDTH == 0:
            return True
        at = seen.rfind(new, 0, at + WIDTH - 1)
    seen += new
    if len(seen) > WIDTH * REMEMBERED:
        # Moves nothing but the beginning.
        del seen[:WIDTH]
    return False
