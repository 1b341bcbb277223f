"""What a run came to, for people."""

from collections.abc import Iterator

from tests.faults.run import PATIENCE_S, Outcome


def report(outcome: Outcome, command: str) -> str:
    """The faults survived, what was compared, the longest gap, and how to run it again."""
    return "\n".join([*_faults(outcome), "", *_comparison(outcome), "", *_end(outcome, command)])


def _faults(outcome: Outcome) -> Iterator[str]:
    width = max(map(len, outcome.survived), default=5)
    yield f"{'fault':{width}}  times  seconds  longest gap, s  back after, s"
    for name, survived in sorted(outcome.survived.items()):
        gap_s = outcome.gaps.of_each.get(name, 0.0)
        yield f"{name:{width}}  {survived.times:5}  {survived.seconds:7.1f}  {gap_s:14.1f}  {survived.longest_return_s:13.1f}"
    gaps = outcome.gaps
    yield f"longest gap while nothing was broken: {outcome.gaps.of_each.get('no fault', 0.0):.1f} s"
    yield f"longest gap in the processing of a partition: {gaps.longest_s:.1f} s ({gaps.longest_during})"
    stuck = sum(survived.stuck for survived in outcome.survived.values())
    yield f"partitions that stood still for {PATIENCE_S:.0f} s after a fault: {stuck}"
    stage = outcome.stage
    yield f"longest time from SIGTERM to the end of a worker: {stage.longest_end_s:.1f} s"
    if stage.ended_by_themselves:
        yield f"workers that ended by themselves, and were started again: {stage.ended_by_themselves}"


def _comparison(outcome: Outcome) -> Iterator[str]:
    found = outcome.verdict
    yield f"{outcome.events} events, {found.transitions} transitions, {found.dead_letters} dead letters"
    yield "  ".join(f"{name}: {count}" for name, count in found.broken.items())
    for reason, count in found.excused.items():
        yield f"repeated with the same message id, as the guarantees allow: {count} ({reason})"
    yield from found.examples


def _end(outcome: Outcome, command: str) -> Iterator[str]:
    yield "nothing lost, nothing twice" if outcome.holds else "A GUARANTEE IS BROKEN"
    yield f"again: {command}"
