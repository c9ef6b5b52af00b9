"""A walked device as a profile, and the bus that uses it: values, setpoints that expire, heartbeats, scale factors."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from edge.config import options
from edge.errors import ConfigFault
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.profile import Profile
from edge.field.profiles.loader import parse_profile
from edge.field.rules import _rows
from edge.field.sunspec.draft import draft, guess_kind, slug
from edge.field.sunspec.text import toml_text
from edge.model import Reading
from hil.lan.sunspec import Map, SunSpecSlave, Values
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from hil.wire import WirePort
from tests.field.sunspec_kit import BMS, DEVICES, METER, PCS, PV, walked


def profile_of(models: list[tuple[int, Values]], kind: str = "", regs_max: int = 60) -> Profile:
    one = draft(walked(models, regs_max), kind, regs_max=regs_max)
    return parse_profile(one.tables, "walked.toml")


class Bench:
    """One walked device on a wire in virtual time, and the map behind it."""

    def __init__(self, models: list[tuple[int, Values]], loop: VirtualLoop, clock: VirtualClock) -> None:
        self.profile = profile_of(models)
        self.map = Map(models)
        self.slave = SunSpecSlave(self.map, 1, now_s=loop.time)
        use = {"meter": "poc"}.get(self.profile.kind, self.profile.kind)
        self.device = BusDevice(options.Device(name="d", profile="x", port="p", address=1, use=use), self.profile)
        self.readings: list[Reading] = []
        port = options.Port(name="p", path="/dev/none", baud=115_200, gap_ms=2)
        wire = WirePort("p", 115_200, [self.slave])
        self.bus = Bus(0, port, wire, [self.device], clock, self.readings.append, self._allowed)
        self.refused: list[tuple[int, ...]] = []

    def _allowed(self, _: int, address: int, fc: int, reg: int, count: int, value: int) -> bool:
        """As the C gate lists it, without modes and bands."""
        for row in _rows(self.device):
            if (fc, reg, count) == (row["function"], row["reg"], row.get("count", 1)) and (
                row["value_min"] <= value <= row["value_max"]
            ):
                return True
        self.refused.append((fc, reg, count, value))
        return False

    def of_role(self, reading: Reading, role: str) -> list[int | None]:
        block = next(block for block in self.profile.blocks if block.name == reading.block)
        return [value for point, value in zip(block.points, reading.values, strict=True) if point.role == role]

    def values(self) -> dict[str, int | None]:
        """role or name of a point -> what was last read, of complete readings."""
        found: dict[str, int | None] = {}
        for reading in self.readings:
            block = next(block for block in self.profile.blocks if block.name == reading.block)
            for point, value in zip(block.points, reading.values, strict=True):
                found[point.role or point.name] = value
        return found


def played(
    models: list[tuple[int, Values]], story: Callable[[Bench], Iterator[float]], *, running: bool = True
) -> Bench:
    """Runs the bus while `story` waits (it yields seconds) and checks."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> Bench:
        bench = Bench(models, loop, clock)
        task = asyncio.create_task(bench.bus.run())
        for wait_s in story(bench):
            await asyncio.sleep(wait_s)
        task.cancel()
        await asyncio.wait({task})
        return bench

    return run_virtual(main)


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("regs_max", [20, 60, 125])
def test_a_walked_device_becomes_a_profile_that_reads_back_from_its_text(kind: str, regs_max: int) -> None:
    chain = walked(DEVICES[kind], regs_max)
    assert guess_kind(chain) == kind
    one = draft(chain, regs_max=regs_max)
    text = toml_text(one.tables, one.notes)
    again = parse_profile(tomli.loads(text), "walked.toml")
    assert again == parse_profile(one.tables, "walked.toml")
    assert again.id == f"sunspec-acme-model-7-{kind}" and not again.verified and again.identify is not None
    assert all(block.count <= regs_max for block in again.blocks)


def test_a_pcs_says_its_values_and_obeys() -> None:
    def story(bench: Bench) -> Iterator[float]:
        yield 3
        assert bench.device.guarded and bench.map.get("704.WSetRvrtTms") == 10
        assert bench.map.get("704.WSetRvrt") == 0 and bench.map.get("704.WSetEnaRvrt") == 1
        bench.bus.set_value("d", "power_set", -25_000)
        yield 20
        assert (bench.map.get("704.WSetEna"), bench.map.get("704.WSetMod")) == (1, 1)
        assert bench.map.get("704.WSet") == -2_500, "ten watts a count, and kept alive beyond its ten seconds"
        assert 18 < bench.map.get("715.ControllerHb") < 30

    bench = played(PCS, story)
    values = bench.values()
    assert values["pcs.power"] == -12_340 and values["pcs.dc_voltage"] == 7_801 and values["pcs.heatsink_temp"] == 415
    assert values["pcs.energy_discharge"] == 500_000 and values["701.InvSt"] == 2 and values["715.LocRemCtl"] == 0
    assert bench.profile.writes[0].min == -30_000 and bench.profile.writes[0].max == 40_000
    assert not bench.refused and not bench.device.write_failed


def test_without_us_a_pcs_goes_to_zero_by_its_own_timer() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench = Bench(PCS, loop, clock)
        task = asyncio.create_task(bench.bus.run())
        bench.bus.set_value("d", "power_set", 30_000)
        await asyncio.sleep(5)
        assert bench.map.get("704.WSet") == 3_000
        task.cancel()  # as if killed: nobody says the safe value
        await asyncio.sleep(12)
        bench.slave._let_time_pass()
        assert bench.map.get("704.WSet") == 0 and bench.map.get("704.WSetEna") == 1

    run_virtual(main)


def test_shutdown_says_zero_to_a_pcs() -> None:
    async def main(loop: VirtualLoop, clock: VirtualClock) -> None:
        bench = Bench(PCS, loop, clock)
        task = asyncio.create_task(bench.bus.run())
        bench.bus.set_value("d", "power_set", 30_000)
        await asyncio.sleep(5)
        task.cancel()
        await asyncio.wait({task})
        assert await bench.bus.shutdown() and bench.map.get("704.WSet") == 0

    run_virtual(main)


def test_commands_are_written_with_function_16() -> None:
    def story(bench: Bench) -> Iterator[float]:
        bench.map.put("701.InvSt", 7)
        yield 2
        bench.bus.command("d", "start")
        yield 1
        assert (bench.map.where["715.OpCtl"], (1,)) in bench.slave.writes

    played(PCS, story)


def test_a_bms_says_its_values_and_is_guarded_by_its_heartbeat() -> None:
    def story(bench: Bench) -> Iterator[float]:
        yield 6
        assert bench.device.guarded and 4 <= bench.map.get("802.CtrlHb") < 10
        first = bench.values()["bms.heartbeat"]
        yield 3
        assert bench.values()["bms.heartbeat"] != first
        bench.map.put("802.Evt1", 1 << 9 | 1 << 17)  # over voltage alarm, imbalance warning
        bench.map.put("802.State", 99)
        yield 2

    values = played(BMS, story).values()
    expected = {
        "bms.pack_voltage": 7_800, "bms.pack_current": -55, "bms.soc": 5_512, "bms.soh": 9_900,
        "bms.cell_voltage_min": 3_300, "bms.cell_voltage_max": 3_321, "bms.cell_temp_min": 270, "bms.cell_temp_max": 290,
        "bms.current_charge_max": 1_000, "bms.current_discharge_max": 1_200,
    }  # fmt: skip
    assert {role: values[role] for role in expected} == expected
    assert (values["802.State"], values["802.Evt1.low"], values["802.Evt1.high"]) == (4, 2, 0)


def test_a_bms_that_refuses_our_heartbeat_is_not_guarded() -> None:
    def story(bench: Bench) -> Iterator[float]:
        yield 3
        assert bench.device.guarded
        refused = bench.map.where["802.CtrlHb"]
        whole = bench.slave._write
        bench.slave._write = lambda frame, function, start: (
            b"\x01\x90\x02\xcd\xc1" if start == refused else whole(frame, function, start)
        )
        yield 5
        assert not bench.device.guarded
        assert bench.readings[-1].complete

    played(BMS, story)


def test_a_pv_limit_is_a_percentage_of_the_rating_as_walked() -> None:
    def story(bench: Bench) -> Iterator[float]:
        bench.bus.set_value("d", "power_limit", 33_000)
        yield 3
        assert bench.map.get("123.WMaxLimPct") == 300 and bench.map.get("123.WMaxLim_Ena") == 1

    values = played(PV, story).values()
    assert values["pv.power"] == 12_340 and values["pv.energy"] == 4_000_000 and values["103.St"] == 2


def test_a_meter_says_its_values() -> None:
    def story(bench: Bench) -> Iterator[float]:
        yield 2

    values = played(METER, story).values()
    assert (
        values["meter.power"] == 20_500 and values["meter.frequency"] == 50_010 and values["meter.voltage_l1"] == 2_301
    )
    assert values["meter.energy_import"] == 1_000_000 and values["meter.energy_export"] == 55


SCALED = {"203.W_SF": "203.W", "802.A_SF": "802.A"}  # the value goes with its scale, as it would in a device


@pytest.mark.parametrize(
    ("models", "changed", "role"),
    [(METER, "203.W_SF", "meter.power"), (PCS, "704.WSet_SF", "pcs.power"), (BMS, "802.A_SF", "bms.pack_current"),
     (PV, "121.WMax", "pv.power")],
)  # fmt: skip
def test_nothing_is_believed_or_written_after_a_scale_factor_changed(
    models: list[tuple[int, Values]], changed: str, role: str
) -> None:
    counts: list[int] = []

    def story(bench: Bench) -> Iterator[float]:
        yield 5
        original = bench.map.get(changed)
        counts.append(len(bench.readings))
        bench.map.put(changed, 2)
        if changed in SCALED:
            value = bench.map.get(SCALED[changed])
            bench.map.put(SCALED[changed], value // 100 if models is METER else -1)
        yield 11  # the slow look at what no block brings
        counts.append(len(bench.readings))
        bench.slave.writes.clear()
        for name in bench.device.boxes:
            bench.bus.set_value("d", name, 1_000)
        yield 60
        assert len(bench.readings) == counts[1] and not bench.slave.writes
        assert bench.profile.kind in ("meter", "pv") or not bench.device.guarded
        assert changed in bench.device.identity.fault and "walk the device again" in bench.device.identity.fault
        bench.map.put(changed, original)
        if changed in SCALED:
            bench.map.put(SCALED[changed], value)
        yield 15
        assert len(bench.readings) > counts[1] and not bench.device.identity.fault

    bench = played(models, story)
    if changed in SCALED:  # it is read with its value: not one value by the old scale
        assert counts[1] - counts[0] <= 1 + (models is BMS), "one answer may be under way"
        seen = {value for reading in bench.readings for value in bench.of_role(reading, role)}
        assert seen == {{"meter.power": 20_500, "bms.pack_current": -55}[role]}


def test_a_map_that_moved_is_another_device() -> None:
    def story(bench: Bench) -> Iterator[float]:
        yield 3
        bench.slave.address = 99  # it restarts with another firmware
        yield 5
        bench.slave.address = 1
        moved = Map([BMS[0], (64_000, {"L": 4}), *BMS[1:]])
        bench.map.registers.clear()
        bench.map.registers.update(moved.registers)
        bench.readings.clear()
        yield 30
        assert not bench.readings and "802.ID" in bench.device.identity.fault

    played(BMS, story)


@pytest.mark.parametrize(
    ("drop", "text"),
    [("CellVMin", "bms.cell_voltage_min"), ("State", "connected"), ("A_SF", "bms.pack_current")],
)
def test_a_bms_that_lacks_what_control_needs_makes_no_profile(drop: str, text: str) -> None:
    values = {name: value for name, value in BMS[1][1].items() if name != drop}
    if drop == "CellVMin":
        values["L"] = 36  # an edition that ends before it
    with pytest.raises(ConfigFault, match=text):
        profile_of([BMS[0], (802, values), BMS[2]])


def test_a_pcs_without_a_reversion_timer_is_never_guarded() -> None:
    models = [(n, {k: v for k, v in values.items() if k != "WSetRvrtTms"} if n == 704 else values) for n, values in PCS]
    one = draft(walked(models), "pcs")
    assert any("may hold its last setpoint" in note for note in one.notes)
    assert parse_profile(one.tables, "x").watchdog is None
    without = [entry for entry in models if entry[0] != 715]

    def story(bench: Bench) -> Iterator[float]:
        yield 5
        assert not bench.device.guarded

    played(without, story)


@given(st.text(max_size=80))
def test_an_id_is_always_a_good_name(text: str) -> None:
    assert all(c.isascii() and (c.isalnum() or c == "-") for c in slug(text)) and len(slug(text)) <= 60


@given(st.recursive(st.text(max_size=8) | st.integers() | st.booleans(), lambda inner: st.lists(inner, max_size=3)),
       st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=5), max_size=3))  # fmt: skip
def test_any_text_survives_the_writing(value: object, words: dict[str, str]) -> None:
    tables = {"schema": 1, "profile": {"a": value, "words": words}}
    assert tomli.loads(toml_text(tables, [])) == tables
