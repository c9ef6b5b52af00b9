"""Measures one device: who it is, how often and how fast it answers, what it refuses, what its comm-loss timer holds.

Only reads, the controller's own blocks in turn. Numbers in, numbers out; the verdicts are in verdicts.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edge.commission.points import REGISTERS_MAX, Ask, pieces, prove
from edge.commission.value import failure_text
from edge.config import options
from edge.field.decode import decoder_of
from edge.field.device import BusDevice
from edge.field.line.rtu import Answer, Expect, read_request
from edge.field.line.timing import chars_us
from edge.field.profile import REGISTERS, Block
from edge.model import Outcome

TRIES = 50  # enough to see one bad answer in fifty, in a few seconds on a slow line
POWER_ROLES = ("meter.power", "pv.power", "pcs.power")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One device. Latency: from the question handed over to the whole answer; turnaround: the part that is the device's."""

    device: str
    sent_count: int = 0
    ok_count: int = 0
    failures: dict[str, int]  # in words -> how often
    refused: dict[str, int]  # block -> exception code
    missing: list[str]  # mandatory points without a value
    latency_p50_us: int = 0
    latency_p99_us: int = 0
    turnaround_p50_us: int = 0
    turnaround_p99_us: int = 0
    identity: str = ""  # what it says of itself; "" when it was not asked, or said nothing
    identity_fault: str = ""
    watchdog_s: float | None = None  # as read; None: it has none, or it cannot be read
    watchdog_wanted_s: float | None = None
    guarded: bool | None = None  # written and read back by the running controller; None: none runs
    power_w: int | None = None


def percentile(values: list[int], percent: int) -> int:
    """The smallest of `values` that so many percent do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0


async def measure(
    ask: Ask, device: BusDevice, port: options.Port, tries: int = TRIES, note: Callable[[], None] = lambda: None,
    guarded: bool | None = None, registers_max: int = REGISTERS_MAX,
) -> Measured:  # fmt: skip
    """`tries` questions to one device, `note` before each."""
    identity, identity_fault = await prove(ask, device)
    latencies_us: list[int] = []
    turnarounds_us: list[int] = []
    failures: dict[str, int] = {}
    refused: dict[str, int] = {}
    heards: list[tuple[Block, bytes]] = []
    blocks = [piece for block in device.profile.blocks for piece in pieces(block, block.points, registers_max)]
    for index in range(tries):
        note()
        block = blocks[index % len(blocks)]
        expect = Expect(read_request(device.settings.address, block.fc, block.start, block.count))
        heard = await ask(device, expect)
        if isinstance(heard.answer, bytes):
            latencies_us.append(heard.latency_us)
            turnarounds_us.append(heard.latency_us - chars_us(port, expect.wire_chars))
            heards.append((block, heard.answer))
        else:
            _count(heard.answer, block, failures, refused)
    found, (missing, power_w) = device.watchdog(), _values(device, heards)
    return Measured(
        device=device.name, sent_count=tries, ok_count=len(latencies_us), failures=failures, refused=refused,
        missing=missing, latency_p50_us=percentile(latencies_us, 50), latency_p99_us=percentile(latencies_us, 99),
        turnaround_p50_us=max(0, percentile(turnarounds_us, 50)),
        turnaround_p99_us=max(0, percentile(turnarounds_us, 99)), identity=identity, identity_fault=identity_fault,
        watchdog_s=await _watchdog_s(ask, device),
        watchdog_wanted_s=None if found is None else float(found[1] * found[0].seconds_per_count),
        guarded=guarded, power_w=power_w,
    )  # fmt: skip


def _values(device: BusDevice, heards: list[tuple[Block, bytes]]) -> tuple[list[str], int | None]:
    """Mandatory points that had no value at some time, and the newest power."""
    ratios: dict[str, int] | None = None if device.ratios is None else {}
    decoders = {id(block): decoder_of(block, device.name, ratios) for block, _ in heards}
    if ratios is not None:
        for block, payload in heards:  # what multiplies is known from here on
            decoders[id(block)].decode(payload, 0)
    missing: dict[str, None] = {}
    power_w: int | None = None
    for block, payload in heards:
        values = decoders[id(block)].decode(payload, 0).values
        missing |= dict.fromkeys(block.points[index].name for index in block.mandatory if values[index] is None)
        for point, value in zip(block.points, values, strict=True):
            power_w = value if point.role in POWER_ROLES else power_w
    return list(missing), power_w


def _count(answer: Answer, block: Block, failures: dict[str, int], refused: dict[str, int]) -> None:
    if isinstance(answer, int) and not isinstance(answer, Outcome):
        refused[block.name] = answer
    else:
        text = failure_text(answer)
        failures[text] = failures.get(text, 0) + 1


async def _watchdog_s(ask: Ask, device: BusDevice) -> float | None:
    """The comm-loss timer as it is in the device now."""
    found = device.watchdog()
    if found is None:
        return None
    watchdog, _ = found
    question = Expect(read_request(device.settings.address, 3, watchdog.addr, REGISTERS[watchdog.type]))
    answer = (await ask(device, question)).answer
    return float(int.from_bytes(answer, "big") * watchdog.seconds_per_count) if isinstance(answer, bytes) else None
