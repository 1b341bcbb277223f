"""The few milliseconds in which all of it happens, so that edges meet edges."""

import datetime as dt

from hypothesis import strategies as st

ORIGIN_MS = 1_767_607_200_000
"""2026-01-05T10:00:00Z."""
SPAN_MS = 40
DURATIONS = ("1ms", "2ms", "3ms", "5ms", "8ms", "13ms", "30ms", "1s")


def iso(moment_ms: int, zone_hours: int = 0) -> str:
    """The moment as ISO 8601 text, in UTC or another zone."""
    zone = dt.timezone(dt.timedelta(hours=zone_hours))
    moment = dt.datetime.fromtimestamp(0, tz=zone) + dt.timedelta(milliseconds=moment_ms)
    text = moment.isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


moments_ms = st.integers(-5, SPAN_MS + 5).map(lambda offset: ORIGIN_MS + offset)
moment_texts = st.builds(iso, moments_ms, st.sampled_from((0, 0, 0, 2, -5)))
moment_numbers = moments_ms
"""Over 1e11, so milliseconds."""
moment_seconds = moments_ms.map(lambda moment: moment / 1000)
durations = st.sampled_from(DURATIONS)
