import hashlib
from pathlib import Path

import pytest

from streams.local import jars
from streams.local.errors import LocalError
from streams.local.jars import Jar, class_path, default_cache, locked_jars


def locked(folder: Path, content: bytes) -> Path:
    """A lock file that names one jar, with the hash of `content`."""
    lock = folder / "jars.lock"
    lock.write_text(f"org.example:thing:1.0 {hashlib.sha256(content).hexdigest()} {len(content)}\n")
    return lock


def test_the_lock_file_names_kafka_with_its_hash_and_size() -> None:
    names = {jar.artifact: jar for jar in locked_jars()}
    assert {"kafka_2.13", "kafka-storage", "kafka-clients", "log4j-slf4j-impl"} <= names.keys()
    assert all(len(jar.sha256) == 64 and jar.size_bytes > 0 for jar in names.values())
    assert len({jar.file_name for jar in names.values()}) == len(names), "no two share a file"


def test_a_lock_file_line_reads_back_as_the_jar_it_was_written_from() -> None:
    for jar in locked_jars():
        coordinate, sha256, size = str(jar).split()
        group, artifact, version = coordinate.split(":")
        assert Jar(group, artifact, version, sha256, int(size)) == jar


def test_a_jar_in_the_cache_with_the_locked_hash_is_used_without_any_network(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "thing-1.0.jar").write_bytes(b"right")
    assert class_path(cache, lock=locked(tmp_path, b"right")) == [cache / "thing-1.0.jar"]


def test_a_jar_in_the_cache_with_another_hash_is_refused_and_removed(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "thing-1.0.jar").write_bytes(b"wrong")
    with pytest.raises(LocalError, match=r"thing-1\.0\.jar was not the file that jars\.lock names"):
        class_path(cache, lock=locked(tmp_path, b"right"))
    assert not (cache / "thing-1.0.jar").exists()


def test_a_fetched_jar_with_another_hash_never_reaches_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampered(jar: Jar, folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / jar.file_name).write_bytes(b"wrong")
        return folder / jar.file_name

    monkeypatch.setattr(jars, "_download", tampered)
    with pytest.raises(LocalError, match="SHA-256"):
        class_path(tmp_path / "cache", lock=locked(tmp_path, b"right"))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["lock"]


def test_without_a_network_the_error_says_what_is_missing_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: refused
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(jars, "_ATTEMPT_PAUSE_S", 0.0)
    with pytest.raises(LocalError, match=r"cannot fetch thing-1\.0\.jar.*put the file into") as raised:
        class_path(tmp_path / "cache", lock=locked(tmp_path, b"right"))
    assert "\n" not in str(raised.value)


def test_what_a_killed_fetch_left_behind_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(jar: Jar, folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / jar.file_name).write_bytes(b"right")
        return folder / jar.file_name

    monkeypatch.setattr(jars, "_download", whole)
    (tmp_path / "cache" / "fetch-killed").mkdir(parents=True)
    told: list[tuple[str, int, int]] = []
    class_path(
        tmp_path / "cache",
        lambda step, done=0, total=0: told.append((step, done, total)),
        locked(tmp_path, b"right"),
    )
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"lock", "thing-1.0.jar"}
    assert told[-1] == ("Fetching Apache Kafka", 5, 5)


def test_a_cache_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match="cannot write to"):
        class_path(tmp_path / "file" / "cache", lock=locked(tmp_path, b"right"))


def test_the_cache_is_where_the_xdg_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/else")
    assert default_cache() == Path("/somewhere/else/livesegments/kafka")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert default_cache() == Path.home() / ".cache/livesegments/kafka"
