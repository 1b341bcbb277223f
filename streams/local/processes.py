"""Server processes: started under a guard, told apart from others that later get their id, stopped for certain."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streams.local import guard
from streams.local.errors import LocalError

OUTPUT = "output.log"  # what a server prints
SERVER_LOG = "server.log"  # what it logs

_POLL_S = 0.02
_KILLED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for as long as it lives: ids are given again, so what the system says of its start belongs to it."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The process that has the id `pid` now; None if there is none, or only what its parent has not yet reaped."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    def is_alive(self) -> bool:
        return ProcessId.of(self.pid) == self

    def stop(self, grace_s: float) -> None:
        """Ask it to end, and kill it after `grace_s` seconds. Returns when it is gone; LocalError if it will not go."""
        if grace_s > 0:
            self._signal(signal.SIGTERM)
            if self._gone_within(grace_s):
                return
        self._signal(signal.SIGKILL)
        if not self._gone_within(_KILLED_WITHIN_S):
            raise LocalError(f"process {self.pid} does not end; end it by hand and try again")

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True


def _started(pid: int) -> str | None:
    stat = Path(f"/proc/{pid}/stat")
    if not stat.parent.parent.joinpath("self").exists():
        return _started_by_ps(pid)
    try:
        # The name, in parentheses, may hold anything; what follows it begins with the state (field 3).
        fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Where other threads than the first go on, as one does in the middle of a write to a disk when the process is
    # killed, files and ports are held until they have ended too: the number of threads is field 20.
    ended = fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)
    return None if ended else f"{boot}:{fields[19]}"


def _started_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    state, _, started = found.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


class GuardedServer:
    """A server that ends with this process, whatever ends this process, unless it is let go.

    It is in a session of its own: Ctrl-C at the terminal reaches this process alone, which then decides.
    """

    def __init__(self, command: list[str], folder: Path, grace_s: float) -> None:
        """Start `command` in `folder`, its output appended to `output.log` there. LocalError if it cannot be started.

        Once asked to end it has `grace_s` seconds until it is killed; with 0 it is killed at once.
        """
        self.folder = folder
        log = folder / OUTPUT
        for last in (log, folder / SERVER_LOG):
            if last.exists():  # so that neither grows for ever, and what they say is of this start
                last.replace(last.with_name(f"{last.name}.1"))
        own = [sys.executable, "-I", "-S", guard.__file__, str(log), str(grace_s)]
        self._guard = subprocess.Popen(
            own + command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        pid = self._guard.stdout.readline().strip()
        process = ProcessId.of(int(pid)) if pid else None
        if process is None:
            self.stop()
            raise LocalError(f"{command[0]} could not be started: {last_line(log)}")
        self.process = process

    def has_ended(self) -> bool:
        return self._guard.poll() is not None

    def let_go(self) -> None:
        """Leave the server running when this process ends."""
        self._say("keep\n")

    def stop(self) -> None:
        """Stop the server, unless it was let go, and return when it is gone."""
        self._say("")

    def _say(self, words: str) -> None:
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        if not self._guard.stdin.closed:
            with suppress(BrokenPipeError):  # where the server, and so its guard, has ended
                self._guard.stdin.write(words)
                self._guard.stdin.close()
        self._guard.wait()
        self._guard.stdout.close()


def last_line(log: Path) -> str:
    """The last line of a log that is not empty, for an error message."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1].strip() if lines else f"{log} is empty"
