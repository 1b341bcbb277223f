"""Why a record cannot be taken."""

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """In the order in which they are looked for: a record has the first that applies."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_CONTACT = "missing_contact"
    BAD_ID = "bad_id"
    MISSING_EVENT = "missing_event"
    BAD_FIELD = "bad_field"
    BAD_TIMESTAMP = "bad_timestamp"
    FUTURE_TIMESTAMP = "future_timestamp"
    FUTURE_RECEIVED = "future_received"


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A record that goes to the dead letters.

    ``detail`` says what to fix. It quotes nothing of the record: details reach logs and headers, and records are
    about people.
    """

    reason: Reason
    detail: str
