"""What a device is asked first after it failed: reads whose answers cannot be taken for those of any other. No I/O."""

from collections.abc import Iterator, Sequence
from itertools import cycle

from edge.field.line.rtu import Expect, read_request
from edge.field.profile import COILS, REGISTERS, Profile
from edge.field.schedule.poll import Poll


def probes_of(address: int, profile: Profile, used: set[tuple[int, int]], polls: Sequence[Poll]) -> Iterator[Expect]:
    """Reads that no other read of this device looks like, in turn: parts of blocks, of lengths that nothing else has.

    Nothing in a frame says which registers it holds, so a late answer could pass for that of another block of the same
    length. After a failure one of these is asked first: only its own answer fits. They take turns, so that the late
    answer to one does not pass for the next. A device without such a length has to do with its shortest block.
    """
    used = used | {answer_shape(block.fc, block.count) for block in profile.blocks}
    used |= {answer_shape(poll.shape[0], poll.shape[2]) for poll in polls}
    used |= {answer_shape(write.verify.fc, write.count) for write in profile.writes if write.verify}
    if profile.watchdog:
        used |= {answer_shape(3, len(registers)) for _, registers in profile.watchdog.first}
        used.add(answer_shape(3, REGISTERS[profile.watchdog.type]))
    blocks = sorted(profile.blocks, key=lambda block: block.count)
    parts = [(block, count) for block in blocks for count in range(1, block.count)]
    found = {
        answer_shape(block.fc, count): (block, count)
        for block, count in parts
        if answer_shape(block.fc, count) not in used
    }
    if profile.identify:  # a late answer about identity must not pass for one either
        found.pop(answer_shape(profile.identify.fc, profile.identify.count), None)
    even = {shape: part for shape, part in found.items() if part[1] % 2 == 0}
    if profile.identify and len(even) == 1:  # two at least, to take turns
        even = {}
    chosen = list((even or found).values()) or [(blocks[0], blocks[0].count)]  # some refuse half of a 32-bit value
    return cycle([Expect(read_request(address, block.fc, block.start, count)) for block, count in chosen])


def answer_shape(fc: int, count: int) -> tuple[int, int]:
    """What an answer looks like: function and bytes of data."""
    return fc, (count + 7) // 8 if fc in COILS else 2 * count
