"""When a segment follows its verdict: at once, or after a while (contract, section 4.5)."""

from dataclasses import dataclass

import msgspec


class Standing(msgspec.Struct, array_like=True, gc=False):
    """What is kept of one contact and one segment that has a policy or is in a group; milliseconds UTC."""

    verdict: bool = False
    """What the condition said when it was judged last."""
    since_ms: int | None = None
    """Since when it has said so; None: it never said anything else."""
    says: bool = False
    """What the policy says: in a group, another segment may be in front all the same."""
    left_ms: int | None = None
    """When the policy last said no again, as long as its cooldown lasts."""

    @property
    def is_blank(self) -> bool:
        """Whether it is as if nothing was kept."""
        return not self.verdict and not self.says and self.left_ms is None


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a segment waits, in milliseconds."""

    enter_after_ms: int = 0
    exit_after_ms: int = 0
    cooldown_ms: int = 0

    def note(self, standing: Standing, now_ms: int, *, verdict: bool) -> bool:
        """Takes a verdict as of now; returns whether it, or what the policy says, is another than before."""
        changed = verdict != standing.verdict
        if changed:
            standing.verdict, standing.since_ms = verdict, now_ms
        if standing.left_ms is not None and standing.left_ms + self.cooldown_ms <= now_ms:
            standing.left_ms = None
        due_ms = self.due_ms(standing)
        if due_ms is None or due_ms > now_ms:
            return changed
        standing.says = not standing.says
        if not standing.says and self.cooldown_ms:
            standing.left_ms = now_ms
        return True

    def due_ms(self, standing: Standing) -> int | None:
        """When the policy says otherwise if the verdict stays as it is; None: never."""
        if standing.verdict == standing.says or standing.since_ms is None:
            return None
        if standing.says:
            return standing.since_ms + self.exit_after_ms
        enter_ms = standing.since_ms + self.enter_after_ms
        return enter_ms if standing.left_ms is None else max(enter_ms, standing.left_ms + self.cooldown_ms)
