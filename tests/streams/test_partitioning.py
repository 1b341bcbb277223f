from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st

from streams.partitioning import murmur2


@given(st.binary(max_size=80))
def test_keys_go_where_every_other_client_of_kafka_sends_them(key: bytes) -> None:
    assert murmur2(key) == theirs(key)
