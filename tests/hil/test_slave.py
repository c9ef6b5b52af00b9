"""A slave is its profile read backwards: the driver's decoder gets the plant's values back."""

from dataclasses import replace
from fractions import Fraction
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.field.decode import BlockDecoder
from edge.field.line.rtu import Expect, read_request, write_request
from edge.field.profile import Block, Link, Point, Profile
from edge.field.profiles.loader import load_profile
from edge.roles import FLAGS
from hil.framing import sealed
from hil.plant.faces import Face
from hil.slave import Slave
from tests.hil.site_kit import Kit, ask

PCS, BMS = FLAGS["pcs"], FLAGS["bms"]
LINK = Link(19_200, "N", 1, 300, 20, 10, 60)


def test_the_driver_reads_what_the_plant_is() -> None:
    kit = Kit()
    kit.pcs.receive(write_request(2, 6, 650, (1,)))
    kit.step(2)
    kit.pcs.receive(write_request(2, 6, 135, (0xFFCE,)))  # -50 x 100 W
    kit.step(2)
    site, pack = kit.site, kit.unit.pack
    assert ask(kit.poc, "power")["power_total"] == round(site.poc_power_w)
    assert ask(kit.poc, "frequency")["frequency"] == 60_000
    fast, main = ask(kit.pcs, "fast"), ask(kit.bms, "main")
    assert (fast["power_total"], fast["power_set_read"]) == (-5_000, -5_000)
    assert fast["dc_voltage"] == pytest.approx(pack.voltage_v * 10, abs=1)
    assert ask(kit.pcs, "state")["status"] == PCS["running"]
    assert main["pack_voltage"] == pytest.approx(pack.voltage_v * 10, abs=1)
    assert main["pack_current"] == pytest.approx(pack.current_a * 10, abs=1)
    assert main["soc"] == pytest.approx(pack.soc * 10_000, abs=50)
    assert main["cell_voltage_max"] == pytest.approx(pack.cell_voltage_max_v * 1000, abs=1)
    assert main["cell_voltage_min"] == pytest.approx(pack.cell_voltage_min_v * 1000, abs=1)
    assert ask(kit.bms, "precharge")["precharge_control"] == BMS["connected"]
    assert ask(kit.pv, "main")["power"] == round(site.pv_power_w)
    assert ask(kit.it, "power")["power_total"] == pytest.approx(site.it_power_w, abs=1)


def test_commands_and_setpoints_change_the_plant_and_can_be_read_back() -> None:
    kit = Kit()
    echo = write_request(2, 6, 327, (5,))
    assert kit.pcs.receive(echo) == echo
    assert kit.unit.pcs.comm_timeout_s == 5.0
    assert kit.pcs.receive(read_request(2, 3, 327, 1)) == sealed(bytes((2, 3, 2, 0, 5)))
    kit.pcs.receive(write_request(2, 6, 650, (1,)))
    kit.step(1.5)
    assert kit.unit.pcs.state == "running"
    kit.pcs.receive(write_request(2, 16, 135, (120,)))
    assert kit.pcs.receive(read_request(2, 3, 135, 1)) == sealed(bytes((2, 3, 2, 0, 120)))
    kit.step(1)
    assert kit.unit.pcs.power_w == pytest.approx(12_000)
    kit.step(5)
    assert kit.unit.pcs.comm_lost and ask(kit.pcs, "fast")["power_set_read"] == 0
    kit.pcs.receive(write_request(2, 6, 651, (1,)))
    assert kit.unit.pcs.state == "standby"


def test_the_contactor_is_driven_over_the_wire() -> None:
    kit = Kit()
    kit.bms.receive(write_request(1, 6, 0x2010, (0,)))
    assert ask(kit.bms, "precharge")["precharge_control"] == 0
    kit.bms.receive(write_request(1, 6, 0x2010, (1,)))
    kit.step(1)
    assert ask(kit.bms, "precharge")["precharge_control"] == 0
    kit.step(1.5)
    assert ask(kit.bms, "precharge")["precharge_control"] == BMS["connected"]


def test_alarms_trips_and_faults_are_seen() -> None:
    kit = Kit()
    kit.unit.bms.forced_alarms.add("simulated")
    kit.step(0.1)
    assert ask(kit.bms, "alarms") == {"level_2": 0, "level_1": BMS["alarm"]}
    kit.unit.bms.forced_trips.add("simulated")
    kit.step(0.1)
    assert ask(kit.bms, "alarms") == {"level_2": BMS["trip"], "level_1": BMS["alarm"]}
    kit.unit.pcs.set_estop(True)
    kit.step(0.1)
    state = ask(kit.pcs, "state")
    assert (state["status"], state["fault_1"]) == (PCS["fault"], PCS["estop"])


def registers(slave: Slave, start: int, count: int = 1) -> list[int]:
    reply = slave.receive(read_request(slave.address, 3, start, count)) or b""
    return [int.from_bytes(reply[at : at + 2], "big") for at in range(3, len(reply) - 2, 2)]


def test_the_vendors_own_words_are_shown_where_the_profile_knows_them() -> None:
    kit = Kit()
    assert registers(kit.pcs, 32) == [1 << 7], "standby"
    kit.pcs.receive(write_request(2, 6, 327, (1,)))
    kit.pcs.receive(write_request(2, 6, 650, (1,)))
    kit.step(2.5)
    assert registers(kit.pcs, 32) == [1 << 2 | 1 << 3] and registers(kit.pcs, 44) == [1 << 5], "EMS communication lost"
    kit.bms.receive(write_request(1, 6, 0x2010, (0,)))
    kit.step(0.2)
    assert registers(kit.pcs, 32) == [1] and registers(kit.pcs, 37) == [1 << 9], "fault, DC voltage low"
    assert registers(kit.bms, 0x2010) == [0]
    kit.bms.receive(write_request(1, 6, 0x2010, (1,)))
    kit.step(1.0)
    assert registers(kit.bms, 0x2010) == [2], "precharging"
    kit.step(1.5)
    assert registers(kit.bms, 0x2010) == [3]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (read_request(2, 4, 122, 2), 1),  # this model has no FC4
        (sealed(bytes((2, 43, 14, 1, 0, 0))), 1),
        (sealed(bytes((2, 17))), 1),  # report server id: four bytes are a whole request
        (read_request(2, 3, 121, 2), 2),
        (read_request(2, 3, 143, 2), 0),  # two blocks that touch
        (read_request(2, 3, 122, 0), 3),
        (read_request(2, 3, 122, 61), 3),
        (write_request(2, 6, 122, (1,)), 2),
        (write_request(2, 6, 135, (301,)), 3),
        (write_request(2, 16, 135, (1, 2)), 2),
        (sealed(bytes((2, 16, 0, 135, 0, 1, 4, 0, 1))), 3),
    ],
)
def test_refusals(frame: bytes, code: int) -> None:
    reply = Kit().pcs.receive(frame)
    assert reply is not None
    assert reply == sealed(bytes((2, frame[1] | 0x80, code))) if code else reply[1] == frame[1]


def test_silence_for_other_addresses_and_damaged_frames() -> None:
    kit = Kit()
    good = read_request(2, 3, 122, 2)
    assert kit.pcs.receive(read_request(3, 3, 122, 2)) is None
    assert kit.pcs.receive(good[:-1] + bytes((good[-1] ^ 1,))) is None
    assert kit.pcs.receive(b"") is None and kit.pcs.receive(good[:5]) is None
    assert kit.pcs.receive(sealed(good[:4])) is None and kit.pcs.receive(sealed(bytes((2, 16, 0, 135)))) is None
    assert kit.pcs.receive(sealed(bytes((2, 6, 0)))) is None and kit.pcs.receive(sealed(bytes((0, 6, 2)))) is None
    assert kit.pcs.receive(write_request(0, 6, 650, (1,))) is None, "a broadcast is obeyed, not answered"
    assert kit.unit.pcs.state == "starting"


@given(st.binary(max_size=40))
def test_no_frame_breaks_a_slave(data: bytes) -> None:
    for slave in KIT.all:
        for frame in (data, sealed(bytes((slave.address,)) + data)):
            reply = slave.receive(frame)
            assert reply is None or reply[0] == slave.address


KIT = Kit()


def a_profile(point: Point) -> Profile:
    block = Block("b", 3, 98, 8, 1000, 3, (point,), ())
    return replace(load_profile("abb-b23"), blocks=(block,), link=LINK)


INTEGERS = {"u16": (0, 65_534), "s16": (-32_768, 32_766), "u32": (0, 2**32 - 2), "s32": (-(2**31), 2**31 - 2),
            "u64": (0, 2**50), "s64": (-(2**50), 2**50)}  # fmt: skip


@given(st.data())
def test_every_number_form_comes_back(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(INTEGERS)))
    raw = data.draw(st.integers(*INTEGERS[kind]))
    factor = data.draw(st.sampled_from([Fraction(1), Fraction(100), Fraction(1, 10), Fraction(1000, 3)]))
    sign, offset = data.draw(st.sampled_from([1, -1])), data.draw(st.sampled_from([0, -400, 25]))
    order = data.draw(st.sampled_from(["big", "little"]))
    point = Point("p", "meter.power", 100, kind, order, factor, offset, sign, (), None, None, ())
    value = float(sign * raw * factor + offset)
    slave = Slave(a_profile(point), 7, Face({"meter.power": value}, lambda: 0))
    request = read_request(7, 3, 98, 8)
    payload = Expect(request).match(slave.receive(request) or b"")
    assert isinstance(payload, bytes)
    (seen,) = BlockDecoder(slave.profile.blocks[0], "x").decode(payload, 0).values
    assert seen is not None and abs(seen - value) <= float(factor) / 2 + 1 + abs(value) * 1e-12


def test_a_read_may_cut_a_wide_point() -> None:
    point = Point("p", "meter.power", 100, "u32", "big", Fraction(1), 0, 1, (), None, None, ())
    slave = Slave(a_profile(point), 7, Face({"meter.power": 0x12345678}, lambda: 0))
    assert slave.receive(read_request(7, 3, 101, 2)) == sealed(bytes((7, 3, 4, 0x56, 0x78, 0, 0)))
    assert slave.receive(read_request(7, 3, 99, 2)) == sealed(bytes((7, 3, 4, 0, 0, 0x12, 0x34)))


def test_a_request_is_cheap() -> None:
    kit = Kit()
    requests = [(s, read_request(s.address, b.fc, b.start, b.count)) for s in kit.all for b in s.profile.blocks]
    started_s = process_time()
    for _ in range(300):
        kit.site.version += 1
        for slave, request in requests:
            slave.receive(request)
    assert (process_time() - started_s) / (300 * len(requests)) * 1e6 < 40, "5 us on the build machine"
