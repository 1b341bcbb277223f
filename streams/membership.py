"""Workers of one group deliver alike, and the brokers see to it.

A worker with transactions shuts out whoever had its partition before, if that one has them too; one without shuts out
nobody, and nobody shuts it out. So in a group of both some would repeat what in a group of the first kind none does. What a member of a group names
as its protocol must be known to all members, or it is not let in: so each way of delivery has one of its own. They
share out partitions alike.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from kafka import errors
from kafka.admin import KafkaAdminClient

from streams.connections import KafkaConnection
from streams.errors import RetryLater
from streams.settings import Delivery

ANSWER_MS = 3000
"""How long the brokers may take to be found, and again to answer."""


class _ExactlyOnce(RangePartitionAssignor):  # type: ignore[misc] # aiokafka has no types
    name = "range-exactly-once"


ASSIGNORS: Mapping[Delivery, type[RangePartitionAssignor]] = {
    Delivery.AT_LEAST_ONCE: RangePartitionAssignor,
    Delivery.EXACTLY_ONCE: _ExactlyOnce,
}
"""Partition p of the sources to one member, both of them: ranges of equal topics are equal."""


class OtherDelivery(RetryLater):
    """Workers of the group deliver in another way: wait until they are gone."""

    def __init__(self, group: str, delivery: Delivery, others: Delivery | None = None) -> None:
        says = "another SEGMENTS_DELIVERY" if others is None else f"SEGMENTS_DELIVERY={others}"
        super().__init__(
            f"workers of the group {group} run with {says}, and this one has {delivery}: together they would repeat "
            "transitions; stop them all, or give this one theirs"
        )


def delivery_of(described: Mapping[str, Any]) -> Delivery | None:
    """How the members of a group deliver, of which an admin client says so much; None: there are none, or they are just
    about to agree."""
    named = {assignor.name: delivery for delivery, assignor in ASSIGNORS.items()}
    return named.get(described.get("protocol_data") or "") if described.get("members") else None


def refuse_other_delivery(connection: KafkaConnection, group: str, delivery: Delivery) -> None:
    """Raises OtherDelivery where workers run that deliver in another way. Blocks: use a thread.

    Where it cannot be told, it is left to the brokers, who refuse whoever then joins.
    """
    try:
        with KafkaAdminClient(
            **connection.options(),
            bootstrap_timeout_ms=ANSWER_MS,
            request_timeout_ms=ANSWER_MS,
            client_id="livesegments-group",
        ) as admin:
            others = delivery_of(admin.describe_groups([group])[group])
    except (errors.KafkaError, OSError, ValueError):
        return
    if others not in (None, delivery):
        raise OtherDelivery(group, delivery, others)
