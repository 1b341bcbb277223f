from aiokafka.partitioner import murmur2 as theirs
from hypothesis import example, given
from hypothesis import strategies as st

from streams.partitioning import murmur2


@given(st.binary(max_size=80) | st.binary(min_size=250, max_size=280))
@example(b"k" * 259)
@example(b"k" * 260)
@example(b"\xff" * 1067)
def test_keys_go_where_every_other_client_of_kafka_sends_them(key: bytes) -> None:
    assert murmur2(key) == theirs(key)
