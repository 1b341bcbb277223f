"""The consumer group of the workers: whether any is alive, and how far the last ones said that they were."""

from kafka import errors
from kafka.admin import KafkaAdminClient

from streams.connections import WHAT_TO_DO, BrokerUnreachable, KafkaConnection
from streams.errors import ConfigurationError, StreamsError
from streams.outbox import Place


class WorkersAlive(StreamsError):
    """State is not to be made anew under the hands of workers. Stop them, and try again."""

    def __init__(self, group: str, members: list[str]) -> None:
        some = f"{len(members)} workers run" if len(members) > 1 else "a worker runs"
        super().__init__(
            f"{some} in the group {group} ({', '.join(members)}): stop them first; "
            "one that was killed counts until the group has missed it for 10 s"
        )


def committed_of_idle(connection: KafkaConnection, group: str) -> dict[Place, int]:
    """The offsets that the group's workers have committed. Blocks: use a thread.

    Raises WorkersAlive where the group has members, BrokerUnreachable, ConfigurationError.
    """
    try:
        admin = KafkaAdminClient(
            **connection.options(), bootstrap_timeout_ms=10_000, client_id="livesegments-rebuild"
        )
        try:
            members = admin.describe_groups([group])[group].get("members") or []
            if members:
                names = {member.get("group_instance_id") or member["client_host"] for member in members}
                raise WorkersAlive(group, sorted(names))
            offsets = admin.list_group_offsets({group: None})[group]
        finally:
            admin.close()
    except errors.GroupIdNotFoundError:
        return {}
    except errors.AuthorizationError as error:
        who = connection.username or "this client"
        raise ConfigurationError(
            f"Kafka at {connection.address} does not let {who} see the group {group}: allow it DESCRIBE and READ on it"
        ) from error
    except errors.KafkaError as error:
        raise BrokerUnreachable(
            f"no Kafka broker answers at {connection.address} ({error}): {WHAT_TO_DO}"
        ) from error
    return {(place.topic, place.partition): found.offset for place, found in offsets.items()}
