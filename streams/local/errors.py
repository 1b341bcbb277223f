"""What goes wrong while Kafka and Redis are started on this machine."""


class LocalError(Exception):
    """The local Kafka or Redis cannot run. The message is one line that says what to do; nothing is left running."""
