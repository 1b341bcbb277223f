"""Runs one server, and stops it when the process that asked for it is gone, however that ended.

A program of its own, run by its path with the standard library alone so that it starts quickly:
    python -I -S guard.py LOG GRACE_SECONDS COMMAND [ARGUMENT ..]
It prints the server's process id, then waits. Standard input says what happens next: "keep" and a line end
leaves the server running without a guard; its end, which comes also when the asking process was killed, stops the
server (SIGTERM, and SIGKILL after the grace; a grace of 0 is SIGKILL at once). Ends with the server's exit code.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


def _stop(server: "subprocess.Popen[bytes]", grace_s: float) -> None:
    if grace_s > 0:
        server.terminate()
        timer = threading.Timer(grace_s, server.kill)
        timer.daemon = True
        timer.start()
    else:
        server.kill()


def _obey(server: "subprocess.Popen[bytes]", grace_s: float) -> None:
    if sys.stdin.readline() == "keep\n":
        os._exit(0)
    _stop(server, grace_s)


def main() -> int:
    log, grace_s, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    with Path(log).open("ab") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    signal.signal(signal.SIGTERM, lambda *_: _stop(server, grace_s))
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    threading.Thread(target=_obey, args=(server, grace_s), daemon=True).start()
    return server.wait() & 0xFF


if __name__ == "__main__":
    sys.exit(main())
