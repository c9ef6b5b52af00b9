"""Which power of the battery belongs to a reading of the POC meter: the one that was measured nearest to it in time.

Grid and battery are read one after the other. Their sum is the load only if both are of one moment: an old meter value
with a new battery power would look like a load that grows by whatever the battery does. One owner of `power_at_poc_w`.
"""

from typing import Any


class Pairing:
    """Per unit: the PCS reading before the meter's, replaced by the one after it when that is nearer."""

    def __init__(self, structs: list[Any]) -> None:
        self._structs = structs
        self._pcs_ms = [0] * len(structs)
        self._waiting = [False] * len(structs)
        self._poc_ms = 0

    def note_poc(self, taken_ms: int) -> None:
        """The meter's power has just been put into the image."""
        self._poc_ms = taken_ms
        for index, struct in enumerate(self._structs):
            struct.power_at_poc_w = struct.power_w
            self._waiting[index] = True

    def note_pcs(self, index: int, taken_ms: int) -> None:
        """A unit's power has just been put into the image."""
        if self._waiting[index] and taken_ms - self._poc_ms < self._poc_ms - self._pcs_ms[index]:
            self._structs[index].power_at_poc_w = self._structs[index].power_w
        self._waiting[index] = False
        self._pcs_ms[index] = taken_ms
