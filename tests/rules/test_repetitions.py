"""Message ids that a contact has had."""

from hypothesis import given
from hypothesis import strategies as st

from rules.repetitions import REMEMBERED, WIDTH, contains, digest, remember

DIGEST = st.lists(st.sampled_from(b"ab"), min_size=WIDTH, max_size=WIDTH).map(bytes)
"""So alike that most are found where one ends and the next begins, too."""


@given(seen=st.lists(DIGEST, max_size=6), wanted=DIGEST)
def test_a_digest_is_found_as_a_whole_alone(seen: list[bytes], wanted: bytes) -> None:
    assert contains(b"".join(seen), wanted) == (wanted in seen)


def test_the_last_ones_are_remembered() -> None:
    seen = bytearray()
    for number in range(REMEMBERED + 1):
        remember(seen, digest(f"m{number}"))
    assert len(seen) == WIDTH * REMEMBERED
    assert not contains(seen, digest("m0"))
    assert all(contains(seen, digest(f"m{number}")) for number in range(1, REMEMBERED + 1))
