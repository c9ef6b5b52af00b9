"""A trace as a table, and the kernel run again on it: the first difference, to the byte and the field.

Works on a folder or one segment file from any machine; the configuration is in the trace.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge._kernel import ffi
from edge.control.interlocks import explain
from edge.control.kernel import Kernel, Mode, abi_hash
from edge.errors import DataFault
from edge.store.trace import TraceReader, TraceRun


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether every cycle came out the same."""

    same: bool
    text: str


def _kernel_for(run: TraceRun, path: Path) -> Kernel:
    if run.abi_hash != abi_hash():
        raise DataFault(f"{path}: recorded with kernel ABI {run.abi_hash[:12]}, this one is {abi_hash()[:12]}")
    return Kernel.from_bytes(run.config)


def replay(path: Path) -> Verdict:
    """Runs every recorded cycle again. Raises DataFault when the trace cannot be read."""
    count = skipped = 0
    for run in TraceReader(path):
        kernel = _kernel_for(run, path)
        for before, record in run.steps:
            if before is None:  # after a gap the state is only known from the next cycle on
                kernel.load(record.input, record.state)
                skipped += 1
                continue
            kernel.load(record.input, before)
            kernel.step()
            _, state, output = kernel.images()
            if (state, output) != (record.state, record.output):
                where = _difference("output", output, record.output) or _difference("state", state, record.state)
                return Verdict(
                    False, f"{path}: cycle {record.seq} differs: {where}; {count} cycles before it are the same"
                )
            count += 1
    note = f", {skipped} after a gap could not be judged" if skipped else ""
    return Verdict(True, f"{path}: {count} cycles, all the same{note}")


def _difference(name: str, now: bytes, then: bytes) -> str:
    """The first field that differs, with both values."""
    if now == then:
        return ""
    at = next(index for index, (one, other) in enumerate(zip(now, then, strict=True)) if one != other)
    fields = ffi.typeof(f"tw_{name}_t").fields
    field = max((f for f in fields if f[1].offset <= at), key=lambda f: f[1].offset)
    return f"{name}.{field[0]} (byte {at}: {now[at]:#04x} instead of {then[at]:#04x})"


def table(path: Path, every: int) -> Iterator[str]:
    """One row every `every` cycles. Raises DataFault when the trace cannot be read."""
    yield (
        f"{'cycle':>9} {'t s':>9} {'mode':<8} {'POC kW':>8} {'PV kW':>7} {'IT kW':>7} {'batt kW':>8} {'set kW':>7} "
        f"{'SOC %':>6} {'late ms':>8}  why"
    )
    shown = 0
    tw_input, output = ffi.new("tw_input_t *"), ffi.new("tw_output_t *")
    for run in TraceReader(path):
        _kernel_for(run, path)
        for _, record in run.steps:
            shown += 1
            if (shown - 1) % max(1, every):
                continue
            ffi.buffer(tw_input)[:], ffi.buffer(output)[:] = record.input, record.output
            unit = tw_input.unit[0]
            why = ", ".join(cause.name for cause in explain(output.why))
            yield (
                f"{record.seq:>9} {record.mono_ms / 1e3:>9.1f} {Mode(output.mode).name:<8} "
                f"{tw_input.poc_power_w / 1e3:>8.1f} {tw_input.pv_power_w / 1e3:>7.1f} "
                f"{tw_input.load_power_w / 1e3:>7.1f} {unit.power_w / 1e3:>8.1f} {output.battery_w / 1e3:>7.1f} "
                f"{unit.soc_cpct / 100:>6.1f} {record.late_us / 1e3:>8.2f}  {why}"
            )
