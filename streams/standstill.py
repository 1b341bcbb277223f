"""Why a partition stands still: few reasons, so that they can label a metric, each with a text for people."""

from dataclasses import dataclass
from enum import StrEnum

from aiokafka import errors as kafka

from streams.errors import PartitionStopped
from streams.outbox import PublishFailed
from streams.places import StateLost
from streams.records import NewerRecord
from streams.store import PartitionMoved, StoreUnavailable


class Reason(StrEnum):
    """In which part of the system to look for the cause."""

    REDIS_CONNECTION = "redis_connection"
    REDIS_TIMEOUT = "redis_timeout"
    REDIS_LOADING = "redis_loading"
    REDIS_BUSY = "redis_busy"
    REDIS_OUT_OF_MEMORY = "redis_out_of_memory"
    REDIS_READ_ONLY = "redis_read_only"
    REDIS_CANNOT_PERSIST = "redis_cannot_persist"
    REDIS_DENIED = "redis_denied"
    REDIS_CLUSTER = "redis_cluster"
    REDIS_ERROR = "redis_error"
    KAFKA_UNREACHABLE = "kafka_unreachable"
    KAFKA_TOPIC_MISSING = "kafka_topic_missing"
    KAFKA_DENIED = "kafka_denied"
    KAFKA_ERROR = "kafka_error"
    NEWER_RECORD = "newer_record"
    STATE_LOST = "state_lost"
    MOVED = "moved"
    STOPPED = "stopped"
    WAITS = "waits"
    SLOW = "slow"
    BUG = "bug"


_UNREACHABLE = (
    kafka.KafkaConnectionError,
    kafka.KafkaTimeoutError,
    kafka.LeaderNotAvailableError,
    kafka.NodeNotReadyError,
    kafka.NoBrokersAvailable,
    kafka.NotLeaderForPartitionError,
    kafka.RequestTimedOutError,
)
_DENIED = (
    kafka.ClusterAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.TopicAuthorizationFailedError,
    kafka.TransactionalIdAuthorizationFailed,
)


@dataclass(frozen=True, slots=True)
class Standstill:
    """What keeps a partition."""

    reason: Reason
    why: str
    """One line for people."""

    @classmethod
    def of(cls, error: BaseException) -> "Standstill":
        """What an error means, whatever it is."""
        return cls(_reason(error), str(error) or type(error).__name__)


def _reason(error: BaseException) -> Reason:
    match error:
        case StoreUnavailable():
            return Reason(f"redis_{error.trouble}")
        case PartitionMoved():
            return Reason.MOVED
        case StateLost():
            return Reason.STATE_LOST
        case PartitionStopped():
            return Reason.STOPPED
        case NewerRecord():
            return Reason.NEWER_RECORD
        case PublishFailed():
            return _kafka_reason(error.__cause__)
        case kafka.KafkaError():
            return _kafka_reason(error)
        case _:
            return Reason.BUG


def _kafka_reason(error: BaseException | None) -> Reason:
    if isinstance(error, kafka.UnknownTopicOrPartitionError):
        return Reason.KAFKA_TOPIC_MISSING
    if isinstance(error, _DENIED):
        return Reason.KAFKA_DENIED
    if isinstance(error, (OSError, TimeoutError, *_UNREACHABLE)):
        return Reason.KAFKA_UNREACHABLE
    return Reason.KAFKA_ERROR
