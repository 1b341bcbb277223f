"""A transition to one Kafka record (contract, section 5)."""

import json
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

from rules.durations import format_moment
from rules.program import Evidence
from rules.step import Transition
from streams.wire.events import ANONYMOUS

Headers = list[tuple[str, bytes]]

NAMESPACE = "livesegments"
MOST_PROVENANCE_BYTES = 64 * 1024
"""Beyond it the evidence is shortened. A property may have 256 KiB, and each of a hundred conditions shows it: no topic
would take the transition, and the partition would stand still."""
SHOWN_CHARACTERS = 200
"""What is left of a text, or of a value's JSON as a text, in evidence that is shortened."""

_ENTERED = (b'"Audience Entered"', b"livesegments.segment.entered", b"true")
_EXITED = (b'"Audience Exited"', b"livesegments.segment.exited", b"false")
_SPEC_VERSION = ("ce_specversion", b"1.0")
_SOURCE = ("ce_source", NAMESPACE.encode())
_CONTENT_TYPE = ("content-type", b"application/json")


def message_id(contact_id: str, segment: str, sequence: int) -> str:
    """The id by which a consumer knows a transition again: 32 hex digits, the same whenever it is published."""
    return sha256(f"{contact_id}\n{segment}\n{sequence}".encode()).hexdigest()[:32]


def encode(transition: Transition) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of the Kafka record. The value is compact JSON, its fields in the contract's order."""
    contact_id, segment = transition.contact_id, transition.segment
    subject = contact_id.encode()
    message = message_id(contact_id, segment, transition.sequence).encode()
    moment = format_moment(transition.at_ms).encode()
    event, kind, member = _ENTERED if transition.entered else _EXITED
    properties, personas = _of_segment(segment)
    value = (
        b'{"messageId":"%b","type":"track",%b,"event":%b,"timestamp":"%b",%b%b},"context":{%b,"segment":%b}}'
        % (
            message,
            _who(contact_id),
            event,
            moment,
            properties,
            member,
            personas,
            _provenance(transition),
        )
    )
    headers = [
        _SPEC_VERSION,
        ("ce_type", kind),
        ("ce_id", message),
        _SOURCE,
        ("ce_time", moment),
        ("ce_subject", subject),
        _CONTENT_TYPE,
    ]
    return subject, value, headers


def _who(contact_id: str) -> bytes:
    if contact_id.startswith(ANONYMOUS):
        return b'"anonymousId":' + orjson.dumps(contact_id[len(ANONYMOUS) :])
    return b'"userId":' + orjson.dumps(contact_id)


@lru_cache(maxsize=4096)
def _of_segment(segment: str) -> tuple[bytes, bytes]:
    """The parts of the value that are the same for all the transitions of a segment."""
    key = orjson.dumps(segment)
    personas = {
        "computation_class": "audience",
        "computation_key": segment,
        "computation_id": segment,
        "namespace": NAMESPACE,
    }
    return b'"properties":{"audience_key":%b,%b:' % (key, key), b'"personas":' + orjson.dumps(personas)


def _provenance(transition: Transition) -> bytes:
    """Why it happened: everything in ``context.segment``."""
    if not transition.brief:
        encoded = _dumps(_about(transition, transition.evidence))
        if len(encoded) <= MOST_PROVENANCE_BYTES:
            return encoded
    return _dumps(_about(transition, map(_shortened, transition.evidence)))


def _about(transition: Transition, evidence: Iterable[Evidence]) -> dict[str, Any]:
    return {
        "version": transition.version,
        "sequence": transition.sequence,
        "reason": transition.reason,
        "cause": transition.cause,
        "member_for_ms": transition.member_for_ms,
        "evidence": [
            {"condition": condition, "observed": observed, "holds": holds}
            for condition, observed, holds in evidence
        ],
    }


def _shortened(told: Evidence) -> Evidence:
    condition, observed, holds = told
    text = observed if isinstance(observed, str) else json.dumps(observed, ensure_ascii=False, default=str)
    return _cut(condition), observed if len(text) <= SHOWN_CHARACTERS else _cut(text), holds


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _dumps(provenance: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(provenance)
    except TypeError:
        return _dumps_anything(provenance)


def _dumps_anything(provenance: dict[str, Any]) -> bytes:
    """For what orjson refuses, such as integers over 64 bits: a transition is never lost for its evidence."""
    try:
        text = json.dumps(provenance, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return orjson.dumps({**provenance, "evidence": []})
    return text.encode(errors="replace")
