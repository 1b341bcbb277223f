"""Message ids that a contact has had."""

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.repetitions import REMEMBERED, WIDTH, repeats

DIGEST = st.lists(st.sampled_from(b"ab"), min_size=WIDTH, max_size=WIDTH).map(bytes)
"""So alike that most are found where one ends and the next begins, too."""


class _Chosen:
    """Stands for the digest of an id: the id itself."""

    def copy(self) -> "_Chosen":
        return _Chosen()

    def update(self, message_id: bytes) -> None:
        self._id = message_id

    def digest(self) -> bytes:
        return self._id


@given(seen=st.lists(DIGEST, max_size=6), wanted=DIGEST)
def test_a_digest_is_found_as_a_whole_alone(seen: list[bytes], wanted: bytes) -> None:
    kept = bytearray().join(seen)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rules.repetitions._FRESH", _Chosen())
        assert repeats(kept, wanted.decode()) == (wanted in seen)
    assert kept == b"".join(seen if wanted in seen else [*seen, wanted])


def test_the_last_ones_are_remembered() -> None:
    seen = bytearray()
    assert not any(repeats(seen, f"m{number}") for number in range(REMEMBERED + 1))
    assert len(seen) == WIDTH * REMEMBERED
    assert seen[:WIDTH] == blake2b(b"m1", digest_size=WIDTH).digest()
    assert all(repeats(seen, f"m{number}") for number in range(1, REMEMBERED + 1))
    assert not repeats(seen, "m0")
