import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.local.errors import LocalError
from streams.local.locks import exclusive
from streams.local.ports import HOST, free_ports, is_free, preferred_or_free
from streams.local.processes import GuardedServer, ProcessId, last_line

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"

ASKING = """
import sys, time
from pathlib import Path
from streams.local.processes import GuardedServer
server = GuardedServer(["sleep", "60"], Path(sys.argv[1]), 5)
print(server.process.pid, flush=True)
time.sleep(60)
"""

# Its first thread ends; another one keeps the port. So does a server that is killed in the middle of a write.
FIRST_THREAD_ENDS = """
import ctypes, socket, threading, time
kept = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=time.sleep, args=(60,)).start()
print(kept.getsockname()[1], flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_server_ends_when_the_process_that_asked_for_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ASKING, str(tmp_path)], stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        server = ProcessId.of(int(asking.stdout.readline()))
        assert server is not None
        asking.kill()
    assert until(lambda: not server.is_alive())


def test_a_server_that_was_let_go_lives_on_and_stops_by_its_id(tmp_path: Path) -> None:
    guarded = GuardedServer(["sleep", "60"], tmp_path, 5)
    guarded.let_go()
    guarded.stop()  # does nothing any more
    assert guarded.process.is_alive()
    guarded.process.stop(5)
    assert not guarded.process.is_alive()


def test_a_server_that_ignores_the_request_is_killed_after_its_grace(tmp_path: Path) -> None:
    guarded = GuardedServer([sys.executable, "-c", STUBBORN], tmp_path, 0.2)
    assert until(lambda: (tmp_path / "output.log").read_text() == "up\n")
    guarded.stop()
    assert not guarded.process.is_alive()


def test_a_server_survives_the_ctrl_c_of_the_terminal(tmp_path: Path) -> None:
    guarded = GuardedServer(["sleep", "60"], tmp_path, 0)
    assert os.getpgid(guarded.process.pid) != os.getpgid(0)
    assert os.getsid(guarded.process.pid) != os.getsid(0)
    guarded.stop()


def test_a_program_that_does_not_exist_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no-such-program could not be started"):
        GuardedServer(["no-such-program"], tmp_path, 0)


def test_a_process_that_got_the_id_of_an_ended_one_is_never_stopped() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        ProcessId(other.pid, "an earlier one").stop(0)
        assert other.poll() is None
        other.kill()


def test_an_ended_process_whose_parent_has_not_looked_is_not_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        process = ProcessId.of(child.pid)
        assert process is not None
        os.kill(child.pid, signal.SIGKILL)
        assert until(lambda: not process.is_alive())


def test_a_process_is_alive_until_the_last_of_its_threads_has_ended_and_let_its_port_go() -> None:
    with subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        port = int(started.stdout.readline())
        stat = Path(f"/proc/{started.pid}/stat")
        assert until(lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z")
        assert not is_free(port)
        process = ProcessId.of(started.pid)
        os.kill(started.pid, signal.SIGKILL) if process is None else process.stop(0)
        assert process is not None
        assert is_free(port)


def test_the_last_line_of_a_log_skips_empty_ones_and_survives_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"first\nlast \xff\n\n\n")
    assert last_line(tmp_path / "log") == "last \ufffd"
    assert last_line(tmp_path / "none") == f"{tmp_path / 'none'} is empty"


def test_a_lock_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", 1),
        pytest.raises(LocalError, match="another process has held"),
        exclusive(tmp_path / "lock", 0.2),
    ):
        pytest.fail("two held it")
    with exclusive(tmp_path / "lock", 0):
        pass


def test_a_taken_port_is_replaced_by_a_free_one_and_a_free_one_is_kept() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        free = free_ports(1)[0]
        assert not is_free(port)
        assert preferred_or_free((free, port))[0] == free
        assert preferred_or_free((free, port))[1] not in {port, free}
