"""The benchmark kit itself, on little."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from tests.benchmarks import run, workload_file
from tests.benchmarks.checking import WrongResult, check
from tests.benchmarks.history import History, Published
from tests.benchmarks.peers import PEERS, Peer, environments
from tests.benchmarks.peers.plain_rules import plain_rules
from tests.benchmarks.picture import picture
from tests.benchmarks.report import table
from tests.benchmarks.site import Site, fill
from tests.benchmarks.stored import start_with
from tests.benchmarks.workload import Workload


async def test_a_wrong_result_is_no_measurement(kafka: str, redis_url: str, tmp_path: Path) -> None:
    site, workload = Site(kafka, redis_url, tmp_path, {}), Workload("segbench")
    installation = site.installation(workload, "events")
    sent = list(workload.history(100))
    await fill(installation, sent)
    with pytest.raises(WrongResult, match="0 transitions came, 1 were expected"):
        await check(installation, {sent[0].key: [b"never published"]})


async def test_a_peer_that_tells_less_may_leave_out_the_evidence_and_nothing_else(
    kafka: str, redis_url: str, tmp_path: Path
) -> None:
    site, workload = Site(kafka, redis_url, tmp_path, {}), Workload("segbench")
    expected = History(workload, 3000).expected
    contact, values = next(iter(expected.items()))
    installation = site.installation(workload, "events")
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for value in values:
            said = orjson.loads(value)
            del said["context"]["personas"], said["context"]["segment"]["evidence"]
            await producer.send_and_wait(installation.topics.transitions, orjson.dumps(said), key=contact)
    await check(installation, {contact: values}, whole=False)
    with pytest.raises(WrongResult, match="1 contacts are wrong"):
        await check(installation, {contact: values})
    later = [values[0].replace(b'"sequence":1', b'"sequence":3'), *values[1:]]
    with pytest.raises(WrongResult, match="1 contacts are wrong"):
        await check(installation, {contact: later}, whole=False)


@pytest.mark.timeout(240)  # 30 s where nothing else runs
async def test_worker_and_peer_are_measured_doing_what_the_rules_say_and_all_becomes_a_report_and_a_picture(
    kafka: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PEERS, "broken", Peer("Broken", lambda _: ["false"]))
    (tmp_path / "little").mkdir()
    said = "about: little\nlike: segbench\ncontacts: 4000\nburst: {events: 3000, every_s: 1.5}\n"
    (tmp_path / "little" / "workload.yaml").write_text(said)
    (tmp_path / "site").mkdir()
    site = Site(kafka, redis_url, tmp_path / "site", {"kafka": os.getpid(), "redis": os.getpid()})
    wanted = run.Wanted(
        (str(tmp_path / "little"),),
        ("broken", "faust"),
        events=30_000,
        slow_events=3000,
        together=2,
        rate=2500,
        seconds=6,
    )
    found = await run.measure(site, wanted)
    found["start"] = [await start_with(site, Workload("segbench"), 30)]
    throughput, (latency,) = (found["workloads"]["little"][what] for what in ("throughput", "latency"))
    assert throughput["worker"]["events_per_s"] > 0
    assert throughput["faust"]["events_per_s"] > 0
    assert throughput["2 workers"]["events_per_s"] > 0
    assert all(us > 0 for us in throughput["2 workers"]["of_each_worker"])
    assert throughput["worker"]["cpu_us_per_event"]["worker"] > 0
    assert throughput["faust"]["cpu_us_per_event"]["worker"] > 0
    assert 50 < throughput["worker"]["memory"]["redis_record_bytes"] < 600
    assert latency["events_per_s"] > 2500
    assert 0 < latency["ms"]["p50"] <= latency["ms"]["p99"] <= latency["ms"]["p99.9"]
    assert found["start"][0]["start_s"] > 0
    assert found["failed"] == {"broken": "little: it ended: "}
    assert "broken" not in throughput
    assert "Broken FAILED: little: it ended" in table(found)
    assert "Faust, one event at a time" in table(found)
    assert "livesegments, 2 workers" in table(found)
    assert "little: from event to transition" in picture(found)
    assert ET.fromstring(picture(found)).tag.endswith("svg")
    assert json.loads(json.dumps(found)) == found


async def test_partitions_that_cannot_be_shared_leave_out_several_workers_and_nothing_else(
    kafka: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    site = Site(kafka, redis_url, tmp_path / "site", {"kafka": os.getpid(), "redis": os.getpid()})
    found = await run.measure(site, run.Wanted(("segments-1",), events=3000, together=3))
    assert list(found["workloads"]["segments-1"]["throughput"]) == ["worker"]
    assert "livesegments, 3 workers was left out: segments-1: 4 partitions cannot be shared" in table(found)


def test_many_segments_are_families_that_move_contacts_as_the_written_ones_do() -> None:
    one, many = (History(Workload(name), 3000) for name in ("segbench", "segments-100"))
    assert len(many.workload.segments.documents) == 100
    assert _moves(one.expected_without_wakes) == _moves(many.expected_without_wakes)
    assert one.evaluations_per_event == many.evaluations_per_event
    assert 5 < many.evaluations_per_event < 20


def _moves(published: Published) -> dict[bytes, list[tuple[str, str]]]:
    """By contact: the segments without their family, and whether it enters or leaves."""
    return {
        contact: [
            (said["properties"]["audience_key"][-len("segment-00") :], said["event"])
            for said in map(orjson.loads, values)
        ]
        for contact, values in published.items()
    }


def test_segbench_brings_as_many_transitions_as_it_is_said_to() -> None:
    history = History(Workload("segbench"), 150_000)
    found = sum(map(len, history.expected.values())) / history.count
    assert found == pytest.approx(0.15, abs=0.005)


def test_every_workload_is_one_that_can_be_measured() -> None:
    for name in workload_file.names():
        workload = Workload(name)
        assert workload.file.about
        assert next(workload.live(10)).value
        assert plain_rules(workload.segments.documents)["segments"]
    sizes = [len(sent.value) for sent in Workload("large-events").history(50)]
    assert min(sizes) > 1900
    assert max(sizes) < 2300


def test_a_million_contacts_have_each_one_event_before_those_that_are_timed(tmp_path: Path) -> None:
    said = "about: few\nlike: million-uncached\ncontacts: 20\n"
    (tmp_path / "workload.yaml").write_text(said)
    workload = Workload(str(tmp_path))
    history = History(workload, 30)
    assert len(history.sent) == 50
    assert {sent.key for sent in history.sent[:20]} == {b"u%d" % number for number in range(20)}
    assert workload.settings() == {"cached_contacts": "2500"}


def test_rules_for_other_languages_are_refused_where_they_would_say_less() -> None:
    documents = [{"key": "s", "when": {"all": [{"did": "A", "within": "7d", "at_most": 3}]}}]
    with pytest.raises(ValueError, match="no peer knows such a condition"):
        plain_rules(documents)


def test_a_peer_whose_runtime_is_missing_is_left_out_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environments, "MADE", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(environments.LeftOut, match="there is no Maven and Java 17 here"):
        PEERS["kafka-streams"].command(tmp_path)
