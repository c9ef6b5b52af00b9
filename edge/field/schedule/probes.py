"""What a device is asked first after it failed: reads whose answers cannot be taken for those of any other. No I/O.

Nothing in a frame says which registers it holds, so a late answer could pass for that of another block of the same
length. A probe has a length that nothing else has. Probes take turns, so that the late answer to one does not pass for
the next: one that was asked a short while ago is asked again only when there is no other.
"""

from collections.abc import Sequence

from edge.field.line.rtu import Expect, read_request
from edge.field.profile import COILS, REGISTERS, Profile
from edge.field.schedule.poll import Poll

OWED_S = 5.0  # an answer may come as late as this and is still told from the next: no device is known to take a second


class Probes:
    """The probes of one device, the ones asked first ahead."""

    def __init__(self, choices: Sequence[Expect]) -> None:
        """`choices`: one at least; the earlier it stands, the surer is a device to take it."""
        self._choices = list(choices)
        self._asked_s: dict[Expect, float] = {}

    def take(self, now_s: float) -> Expect:
        """The one to ask now: the first that was not asked lately, else the one that was asked longest ago."""
        asked_s, never_s = self._asked_s, now_s - OWED_S
        rested = (probe for probe in self._choices if asked_s.get(probe, never_s) <= never_s)
        chosen = next(rested, None) or min(self._choices, key=lambda probe: asked_s[probe])
        asked_s[chosen] = now_s
        return chosen

    def note_refusal(self, probe: Expect) -> None:
        """The others go first from now on. It stays: a refusal may be of the moment."""
        self._choices.remove(probe)
        self._choices.append(probe)


def probes_of(address: int, profile: Profile, used: set[tuple[int, int]], polls: Sequence[Poll]) -> Probes:
    """Parts of blocks, of lengths that nothing else has: the even ones first, some refuse half of a 32-bit value.

    A device without such a length has to do with its shortest block.
    """
    used = used | {answer_shape(block.fc, block.count) for block in profile.blocks}
    used |= {answer_shape(poll.shape[0], poll.shape[2]) for poll in polls}
    used |= {answer_shape(write.verify.fc, write.count) for write in profile.writes if write.verify}
    if profile.watchdog:
        used |= {answer_shape(3, len(registers)) for _, registers in profile.watchdog.first}
        used.add(answer_shape(3, REGISTERS[profile.watchdog.type]))
    if profile.identify:  # a late answer about identity must not pass for one either
        used.add(answer_shape(profile.identify.fc, profile.identify.count))
    blocks = sorted(profile.blocks, key=lambda block: block.count)
    parts = [(block, count) for block in blocks for count in range(1, block.count)]
    found = {answer_shape(block.fc, count): (block, count) for block, count in parts}
    chosen = [part for shape, part in found.items() if shape not in used] or [(blocks[0], blocks[0].count)]
    chosen.sort(key=lambda part: part[1] % 2)
    return Probes([Expect(read_request(address, block.fc, block.start, count)) for block, count in chosen])


def answer_shape(fc: int, count: int) -> tuple[int, int]:
    """What an answer looks like: function and bytes of data."""
    return fc, (count + 7) // 8 if fc in COILS else 2 * count
