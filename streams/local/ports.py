"""TCP ports of this machine's loopback address."""

import random
import socket

HOST = "127.0.0.1"
FIRST, AFTER_LAST = 20_000, 32_768


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address now."""
    with socket.socket() as probe:
        # As servers do, or connections of the last minute (TIME_WAIT) would make every restart change its port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    # Where a server listens on all the addresses, some systems allow the bind above all the same.
    return not answers(port)


def answers(port: int) -> bool:
    """Whether something accepts connections on `port`."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """`count` different ports that are free now; another process may take one before a server does.

    They lie below those that the system gives to whoever connects: a client that tries again and again to reach a
    server that is away would sooner or later be given that very port, be connected to itself, and hold the port.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(FIRST, AFTER_LAST)  # noqa: S311 - no secret
        if port not in found and is_free(port):
            found.append(port)
    return found


def preferred_or_free(preferred: tuple[int, ...]) -> tuple[int, ...]:
    """The preferred ports, each replaced by a free one where it is taken."""
    others = iter(free_ports(len(preferred)))
    return tuple(port if is_free(port) else next(others) for port in preferred)
