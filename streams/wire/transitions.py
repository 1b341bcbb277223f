"""A transition to one Kafka record (contract, section 5)."""

import json
from binascii import hexlify
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

from rules.durations import format_moment
from rules.program import Evidence
from rules.step import Reason, Transition
from streams.wire.events import ANONYMOUS

Headers = list[tuple[str, bytes]]

NAMESPACE = "livesegments"
MOST_PROVENANCE_BYTES = 64 * 1024
"""Beyond it the evidence is shortened. A property may have 256 KiB, and each of a hundred conditions shows it: no topic
would take the transition, and the partition would stand still."""
SHOWN_CHARACTERS = 200
"""What is left of a text, or of a value's JSON as a text, in evidence that is shortened."""

_ENTERED = (b'"Audience Entered"', b"true")
_EXITED = (b'"Audience Exited"', b"false")
_ENTERED_TYPE = ("ce_type", b"livesegments.segment.entered")
_EXITED_TYPE = ("ce_type", b"livesegments.segment.exited")
_SPEC_VERSION = ("ce_specversion", b"1.0")
_SOURCE = ("ce_source", NAMESPACE.encode())
_CONTENT_TYPE = ("content-type", b"application/json")

_REASONS: dict[str, bytes] = {reason: b',"reason":%b,"cause":' % orjson.dumps(reason) for reason in Reason}

_SIMPLE = frozenset({int, float, str, bool, type(None)})
"""Types of observed values whose JSON is the same wherever it stands."""
_KEPT = frozenset({int, str, type(None)})
"""Types of observed values of which no two are equal that are written differently, as 1, 1.0 and True are."""
MOST_TOLD = 16_384
MOST_TOLD_BYTES = 1024
_told: dict[Evidence, bytes] = {}
"""Pieces of evidence as they are written: the same few make up most transitions. So many are kept, and no longer ones."""

_joined, _dumps = b"".join, orjson.dumps


def message_id(contact_id: str, segment: str, sequence: int) -> str:
    """The id by which a consumer knows a transition again: 32 hex digits, the same whenever it is published."""
    return sha256(f"{contact_id}\n{segment}\n{sequence}".encode()).hexdigest()[:32]


def encode(transition: Transition) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of the Kafka record. The value is compact JSON, its fields in the contract's order."""
    contact_id, entered, sequence = transition.contact_id, transition.entered, transition.sequence
    subject, moment = contact_id.encode(), format_moment(transition.at_ms).encode()
    line, of_exit, of_enter = _of_segment(transition.segment)
    event, context = of_enter if entered else of_exit
    # As ``message_id`` has it.
    digest = sha256(b"%b%b%d" % (subject, line, sequence)).digest()
    message = hexlify(digest[:16])
    if contact_id.startswith(ANONYMOUS):
        field, name = b'","type":"track","anonymousId":', contact_id[len(ANONYMOUS) :]
    else:
        field, name = b'","type":"track","userId":', contact_id
    value = _joined(
        (
            b'{"messageId":"',
            message,
            field,
            _dumps(name),
            event,
            moment,
            context,
            _provenance(transition),
            b"}}",
        )
    )
    headers = [
        _SPEC_VERSION,
        _ENTERED_TYPE if entered else _EXITED_TYPE,
        ("ce_id", message),
        _SOURCE,
        ("ce_time", moment),
        ("ce_subject", subject),
        _CONTENT_TYPE,
    ]
    return subject, value, headers


@lru_cache(maxsize=4096)
def _of_segment(segment: str) -> tuple[bytes, tuple[bytes, bytes], tuple[bytes, bytes]]:
    """What is the same for all the transitions of a segment: its part of what the message id is made of; and of exits
    and of enters, the value's parts before and after the moment."""
    key = orjson.dumps(segment)
    personas = {
        "computation_class": "audience",
        "computation_key": segment,
        "computation_id": segment,
        "namespace": NAMESPACE,
    }
    context = b'},"context":{"personas":%b,"segment":' % orjson.dumps(personas)

    def around(event: bytes, member: bytes) -> tuple[bytes, bytes]:
        return (
            b',"event":%b,"timestamp":"' % event,
            b'","properties":{"audience_key":%b,%b:%b%b' % (key, key, member, context),
        )

    return b"\n%b\n" % segment.encode(), around(*_EXITED), around(*_ENTERED)


def _provenance(transition: Transition) -> bytes:
    """Why it happened: everything in ``context.segment``."""
    if not transition.brief:
        try:
            encoded = _plain(transition)
        except (KeyError, TypeError):
            encoded = _dumps_all(_about(transition, transition.evidence))
        if len(encoded) <= MOST_PROVENANCE_BYTES:
            return encoded
    return _dumps_all(_about(transition, map(_shortened, transition.evidence)))


def _plain(transition: Transition) -> bytes:
    """The same as of ``_about``, for a third of the cost. Raises KeyError or TypeError where something needs a
    closer look."""
    cause, member_for_ms = transition.cause, transition.member_for_ms
    # No more than ten parts: joining more needs memory beside the result.
    return _joined(
        (
            b'{"version":',
            b"%d" % transition.version,
            b',"sequence":',
            b"%d" % transition.sequence,
            _REASONS[transition.reason],
            b"null" if cause is None else _dumps(cause),
            b',"member_for_ms":',
            b"null" if member_for_ms is None else b"%d" % member_for_ms,
            b',"evidence":[',
            b",".join(
                [(type(told[1]) in _KEPT and _told.get(told)) or _tell(told) for told in transition.evidence]
            ),
            b"]}",
        )
    )


def _tell(told: Evidence) -> bytes:
    """One piece of evidence, kept for the next time. Raises TypeError where its JSON depends on where it stands."""
    condition, observed, holds = told
    if type(observed) not in _SIMPLE:
        raise TypeError(type(observed))
    written = orjson.dumps({"condition": condition, "observed": observed, "holds": holds})
    if type(observed) in _KEPT and len(written) <= MOST_TOLD_BYTES:
        if len(_told) >= MOST_TOLD:
            _told.clear()
        # orjson gives bytes that have room for much more.
        _told[told] = written = bytes(memoryview(written))
    return written


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


def _dumps_all(provenance: dict[str, Any]) -> bytes:
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
