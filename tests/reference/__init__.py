"""What the contract says, said a second time and slowly: every contact's whole history, scanned again at every moment.

Written from the contract alone and sharing nothing with `rules` or `streams`, so that an error in one of the two shows
as a difference. `judge` is all that tests need.
"""

from tests.reference.partition import Expected, Judged, judge

__all__ = ["Expected", "Judged", "judge"]
