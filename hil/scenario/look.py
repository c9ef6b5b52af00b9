"""From the raw structs of a cycle to what a scenario speaks of: names and numbers. The only place here that knows them.

Works on cycle records, so that a run in this process and the trace of another process are judged alike.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from edge._kernel import ffi
from edge.control.interlocks import SITE, UNIT, explain, explain_unit
from edge.control.kernel import BmsFlag, Command, Mode, Order
from edge.model import CycleRecord
from hil.scenario.model import Look, UnitLook

REASONS = tuple(cause.name for cause in (*SITE.values(), *UNIT.values()))
MODES = tuple(Mode.__members__)
ORDERS = tuple(Order.__members__)


@cache
def _site(bits: int) -> frozenset[str]:
    return frozenset(cause.name for cause in explain(bits))


@cache
def _unit(bits: int) -> frozenset[str]:
    return frozenset(cause.name for cause in explain_unit(bits))


@cache
def _flags(kind: type[Command] | type[BmsFlag], bits: int) -> frozenset[str]:
    return frozenset(str(bit.name) for bit in kind if bits & bit)


def looks(records: Iterable[CycleRecord], unit_count: int, start_mono_ms: int) -> Iterator[Look]:
    """Each cycle, in the seconds of the scenario."""
    tw, out = ffi.new("tw_input_t *"), ffi.new("tw_output_t *")
    for record in records:
        ffi.buffer(tw)[:], ffi.buffer(out)[:] = record.input, record.output
        yield _look(record, tw, out, unit_count, (record.mono_ms - start_mono_ms) / 1000)


def _look(record: CycleRecord, tw: Any, out: Any, unit_count: int, at_s: float) -> Look:
    units = tuple(_unit_look(tw.unit[index], out.unit[index]) for index in range(unit_count))
    reasons = _site(out.why).union(*(_unit(out.unit[index].why) for index in range(unit_count)))
    return Look(
        at_s=at_s,
        seq=record.seq,
        late_us=record.late_us,
        mode=Mode(out.mode).name,
        reasons=reasons,
        latched=_site(out.latched).union(*(unit.latched for unit in units)),
        first_out=_first_out(out),
        commands=_flags(Command, tw.commands),
        setpoint_w=out.battery_w,
        poc_age_ms=tw.poc_age_ms,
        load_age_ms=tw.load_age_ms,
        pv_age_ms=tw.pv_age_ms,
        units=units,
    )


def _first_out(out: Any) -> str:
    if out.first_out < 0:
        return ""
    bits = 1 << out.first_out
    return next(iter(_site(bits) if out.first_out_unit < 0 else _unit(bits)))


def _unit_look(tw: Any, out: Any) -> UnitLook:
    return UnitLook(
        setpoint_w=out.setpoint_w,
        charge_max_w=out.charge_max_w,
        discharge_max_w=out.discharge_max_w,
        order=Order(out.order).name,
        latched=_unit(out.latched),
        pcs_age_ms=tw.pcs_age_ms,
        bms_age_ms=tw.bms_age_ms,
        soc_cpct=tw.soc_cpct,
        cell_voltage_min_mv=tw.cell_voltage_min_mv,
        cell_voltage_max_mv=tw.cell_voltage_max_mv,
        cell_temp_min_dc=tw.cell_temp_min_dc,
        cell_temp_max_dc=tw.cell_temp_max_dc,
        bms_flags=_flags(BmsFlag, tw.bms_flags),
    )
