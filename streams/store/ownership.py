"""The owner's side of the commit protocol: which number the next commit of a partition has.

A store's data remember the number of the last commit done under the fence in force. An owner counts along, so a
commit is done only on exactly the state that it was built on, and a repeated one is recognised by its number.
"""

from dataclasses import dataclass

from streams.store import Commit
from streams.store.errors import FenceLost, StateMoved


@dataclass(slots=True)
class _Owned:
    fence: int
    done: int = 0
    """Number of the last commit that was answered."""
    unanswered: bool = False
    """A commit numbered done + 1 is on its way, or got no answer."""


class Ownership:
    """The partitions that one store object has taken."""

    def __init__(self) -> None:
        self._owned: dict[int, _Owned] = {}

    def taken(self, partition: int, fence: int) -> None:
        self._owned[partition] = _Owned(fence)

    def number(self, commit: Commit) -> int:
        """Numbers a commit that is about to be sent; one that was sent before keeps its number.

        Raises `FenceLost` where this store object has not taken the fence, `StateMoved` where another commit of
        the partition has no answer yet.
        """
        owned = self._owned.get(commit.partition)
        if owned is None or owned.fence != commit.fence:
            raise FenceLost(commit.partition, commit.fence)
        if commit.number is None:
            if owned.unanswered:
                raise StateMoved(commit.partition, "an earlier commit has no answer yet: repeat that one")
            commit.number = owned.done + 1
            owned.unanswered = True
        return commit.number

    def done(self, commit: Commit) -> None:
        """Notes that a commit was answered as done."""
        if owned := self._expecting(commit):
            owned.unanswered = False
            owned.done += 1

    def not_done(self, commit: Commit) -> None:
        """Notes that a commit certainly changed nothing: its number goes to the next one."""
        if owned := self._expecting(commit):
            owned.unanswered = False
            commit.number = None

    def _expecting(self, commit: Commit) -> _Owned | None:
        owned = self._owned.get(commit.partition)
        if owned is None or owned.fence != commit.fence or commit.number != owned.done + 1:
            return None  # answered before, or of a fence given up: nothing to learn
        return owned
