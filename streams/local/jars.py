"""The jars of Apache Kafka: which ones, to the byte, and a cache directory that holds them.

`jars.lock` beside this file has a line for each: Maven coordinate, SHA-256, size in bytes. To follow a new Kafka:
    python -m streams.local.jars --relock 4.4.0
"""

import argparse
import hashlib
import itertools
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams.local.errors import LocalError
from streams.local.locks import exclusive
from streams.local.progress import Progress, silent

LOCK = Path(__file__).with_name("jars.lock")

_ROOTS = ("org.apache.kafka:kafka_2.13", "org.apache.kafka:kafka-storage")
# Without it Kafka logs nothing, not even why it ended.
_LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"
_LOG_CORE = "log4j-core"
_NOT_NEEDED = {"scala-reflect"}  # for macros alone: 4 of 46 MB

_FETCHES_AT_ONCE = 4
_ATTEMPTS = 3
_ATTEMPT_PAUSE_S = 1.0
_NETWORK_TIMEOUT_S = 30
_OTHERS_FETCH_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version} {self.sha256} {self.size_bytes}"


def locked_jars(lock: Path = LOCK) -> tuple[Jar, ...]:
    """What the lock file names, in the order of the class path."""
    jars = []
    for line in lock.read_text().splitlines():
        coordinate, sha256, size = line.split()
        group, artifact, version = coordinate.split(":")
        jars.append(Jar(group, artifact, version, sha256, int(size)))
    return tuple(jars)


def default_cache() -> Path:
    """Where jars are kept between runs: `livesegments/kafka` in $XDG_CACHE_HOME, or else in ~/.cache."""
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification: a path that is not absolute is to be ignored.
    return (root if root.is_absolute() else Path.home() / ".cache") / "livesegments" / "kafka"


def class_path(cache: Path | None = None, progress: Progress = silent, lock: Path = LOCK) -> list[Path]:
    """The jars that the lock file names, each checked against it, fetched into `cache` first where they lack.

    Several processes may call this at once: one fetches, the others wait for it.
    Raises LocalError if the jars cannot be fetched or stored; also if one has not the hash of the lock file, and
    then removes it, so that the next call fetches it anew.
    """
    cache = cache or default_cache()
    jars = locked_jars(lock)
    if any(not (cache / jar.file_name).exists() for jar in jars):
        with exclusive(cache / "lock", _OTHERS_FETCH_WITHIN_S):
            _fetch([jar for jar in jars if not (cache / jar.file_name).exists()], cache, progress)
    for jar in jars:
        _verify(cache / jar.file_name, jar)
    return [cache / jar.file_name for jar in jars]


def _verify(path: Path, jar: Jar) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror or error}") from None
    if found != jar.sha256:
        path.unlink(missing_ok=True)
        raise LocalError(
            f"{path} was not the file that {LOCK.name} names (SHA-256 {found}, not {jar.sha256}) and has been removed;"
            " try again to fetch it anew"
        )


def _fetch(jars: list[Jar], cache: Path, progress: Progress) -> None:
    if not jars:
        return
    total = sum(jar.size_bytes for jar in jars)
    with _staging(cache) as staging, ThreadPoolExecutor(_FETCHES_AT_ONCE) as pool:
        # The largest first, so that none of them is alone at the end.
        ordered = sorted(jars, key=lambda jar: -jar.size_bytes)
        fetches: list[Future[None]] = [pool.submit(_fetch_one, jar, staging, cache) for jar in ordered]
        try:
            waiting = set(fetches)
            while waiting:
                progress("Fetching Apache Kafka", min(_size_of(staging, jars, cache), total), total)
                done, waiting = wait_for(waiting, timeout=0.2)
                for fetch in done:
                    fetch.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        progress("Fetching Apache Kafka", total, total)


@contextmanager
def _staging(cache: Path) -> Iterator[Path]:
    """A folder on the same disk as the cache, so that a jar appears there whole or not at all."""
    for left_over in cache.glob("fetch-*"):  # of a killed process: the lock says that none is at work
        shutil.rmtree(left_over, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        raise LocalError(f"cannot write to {cache}: {error.strerror or error}") from None


def _size_of(staging: Path, jars: list[Jar], cache: Path) -> int:
    stored = sum(jar.size_bytes for jar in jars if (cache / jar.file_name).exists())
    under_way = 0
    for path in staging.rglob("*.jar"):
        try:
            under_way += path.stat().st_size
        except FileNotFoundError:
            continue  # moved into the cache meanwhile
    return stored + under_way


def _fetch_one(jar: Jar, staging: Path, cache: Path) -> None:
    for attempt in itertools.count(1):
        try:
            fetched = _download(jar, staging / f"{jar.artifact}-{attempt}")
        except (OSError, RuntimeError) as error:  # the network's are OSErrors; not found is a RuntimeError
            if attempt >= _ATTEMPTS:
                raise LocalError(
                    f"cannot fetch {jar.file_name}, which the local Kafka needs once: {_first_line(error)};"
                    f" check the network, or put the file into {cache} yourself"
                ) from None
            time.sleep(_ATTEMPT_PAUSE_S * attempt)
        else:
            _verify(fetched, jar)
            fetched.replace(cache / jar.file_name)
            return


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def _download(jar: Jar, folder: Path) -> Path:
    from jgo.maven import MavenContext  # slow to import, and needed once in the life of a cache

    logging.getLogger("jgo").setLevel(logging.ERROR)  # its warnings are of hashes, and `_verify` refuses
    context = MavenContext(repo_cache=folder, timeout=_NETWORK_TIMEOUT_S)
    return context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()


def relock(version: str, lock: Path = LOCK) -> tuple[Jar, ...]:
    """Resolve Kafka `version` with all that it needs and write the lock file. Network errors come as they are."""
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=_NETWORK_TIMEOUT_S)
        roots = [context.create_dependency(f"{root}:{version}") for root in _ROOTS]
        given, needed = context.resolver.resolve(roots)
        found = [needs.artifact for needs in given + needed if needs.artifactId not in _NOT_NEEDED]
        core = next(artifact for artifact in found if artifact.artifactId == _LOG_CORE)
        group, name = _LOG_BINDING.split(":")
        found.append(context.project(group, name).at_version(core.version).artifact())
        jars = []
        for artifact in found:
            content = artifact.resolve().read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            jars.append(Jar(artifact.groupId, artifact.artifactId, artifact.version, sha256, len(content)))
    jars.sort(key=str)
    lock.write_text("".join(f"{jar}\n" for jar in jars))
    return tuple(jars)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m streams.local.jars", description=__doc__)
    parser.add_argument("--relock", metavar="VERSION", help="write jars.lock anew for this version of Kafka")
    version = parser.parse_args().relock
    if version:
        jars = relock(version)
        told = f"{LOCK}: {len(jars)} jars, {sum(jar.size_bytes for jar in jars) / 1e6:.0f} MB"
    else:
        told = "\n".join(map(str, class_path()))
    sys.stdout.write(told + "\n")


if __name__ == "__main__":
    main()
