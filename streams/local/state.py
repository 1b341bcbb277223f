"""What was started in a data directory: processes and ports, in `state.json`."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from streams.local.errors import LocalError
from streams.local.processes import ProcessId

_FILE = "state.json"


@dataclass(frozen=True, slots=True)
class Server:
    """A server as it was last started: its process, and its ports (Kafka has a second one, for its controller)."""

    process: ProcessId
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class State:
    """The servers of a data directory by name, running or not."""

    servers: dict[str, Server] = field(default_factory=dict)

    @classmethod
    def read(cls, data_dir: Path) -> "State":
        """What was last written; an empty state if nothing was, or what is there is no state of ours."""
        try:
            stored = json.loads((data_dir / _FILE).read_text())
            return cls(
                {
                    name: Server(
                        ProcessId(int(one["pid"]), str(one["started"])), tuple(map(int, one["ports"]))
                    )
                    for name, one in stored.items()
                }
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, data_dir: Path) -> None:
        """Replace what is stored, at once. LocalError if the disk refuses."""
        stored = {
            name: {"pid": one.process.pid, "started": one.process.started, "ports": list(one.ports)}
            for name, one in self.servers.items()
        }
        unfinished = data_dir / f"{_FILE}.unfinished"
        try:
            unfinished.write_text(json.dumps(stored, indent=2) + "\n")
            unfinished.replace(data_dir / _FILE)
        except OSError as error:
            raise LocalError(f"cannot write to {data_dir}: {error.strerror or error}") from None
