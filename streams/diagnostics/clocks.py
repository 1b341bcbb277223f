"""A server's clock beside that of this machine."""

from dataclasses import dataclass

from streams.diagnostics.diagnosis import Diagnosis, ok, warning, wrong
from streams.settings import ClockSource, Settings

_NTP = "set the clocks of both machines by NTP (chrony, systemd-timesyncd)"


@dataclass(frozen=True, slots=True)
class Clock:
    """What a server said that the time is, and between which moments of this machine it did (milliseconds UTC)."""

    what: str
    says_ms: int
    before_ms: int
    after_ms: int

    @property
    def ahead_ms(self) -> int:
        """How far it is ahead of this machine for certain, whenever in between it looked at its clock; 0 if it may
        be right; negative: behind."""
        if self.says_ms > self.after_ms:
            return self.says_ms - self.after_ms
        return min(self.says_ms - self.before_ms, 0)


def diagnose_clock(clock: Clock, settings: Settings) -> Diagnosis:
    """Of a server whose clock gives records their received times."""
    ahead_ms = clock.ahead_ms
    if ahead_ms > settings.max_future_skew_ms:
        says = (
            f"{ahead_ms / 1000:,.1f} s ahead of this machine: every event is a dead letter (future_received)"
        )
        return wrong(clock.what, says, _NTP)
    if ahead_ms > settings.wake_delay_ms:
        says = f"{ahead_ms / 1000:,.1f} s ahead of this machine: transitions that time alone causes come so much later"
        return warning(clock.what, says, _NTP)
    if -ahead_ms > settings.wake_delay_ms and settings.clock is ClockSource.WALL:
        says = (
            f"{-ahead_ms / 1000:,.1f} s behind this machine, more than the wake delay: events come after moments "
            "that are later than they, and a replay would say otherwise"
        )
        return wrong(clock.what, says, f"{_NTP}; until then a longer SEGMENTS_WAKE_DELAY helps")
    return ok(clock.what, f"within {settings.wake_delay_ms} ms of this machine's")


def diagnose_store_clock(clock: Clock) -> Diagnosis:
    """Of Redis: its clock makes fences grow, also where Redis is put back to an older copy."""
    if abs(clock.ahead_ms) > 1000:
        says = f"{abs(clock.ahead_ms) / 1000:,.1f} s {'ahead of' if clock.ahead_ms > 0 else 'behind'} this machine"
        return warning(
            clock.what,
            f"{says}: should it be put back, a worker from before a restored copy might not be told from the one after it",
            _NTP,
        )
    return ok(clock.what, "within 1 s of this machine's")
