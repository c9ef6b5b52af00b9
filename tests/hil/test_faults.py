"""Faults: each does what its name says, from its start to its end, the same for the same seed."""

from pathlib import Path

import pytest
import tomli

from edge.errors import ConfigFault
from edge.field.line.rtu import Expect, read_request
from edge.model import Outcome
from hil.faults import FOREVER_S, PARAMS, Arrivals, Fault, FaultBox, load_faults, parse_faults
from hil.plant.bms import Bms
from hil.plant.pcs import Pcs
from hil.plant.pv import Pv
from tests.hil.site_kit import Kit, ask

REQUEST = read_request(2, 3, 122, 22)
NAMES = {"poc": "meter", "pcs1": "pcs", "bms1": "bms", "pv1": "pv", "it1": "meter", "fast": "port", "slow": "port"}


def spoilt(kind: str, **params: float) -> Arrivals:
    """What becomes of a PCS reply in the middle of the fault; before and after, nothing does."""
    reply = Kit().pcs.receive(REQUEST)
    assert reply is not None
    box = FaultBox([Fault("pcs1", kind, 10.0, 5.0, params)], start_s=100.0)
    for quiet_s in (100.0, 109.9, 115.1):
        assert box.shape("pcs1", REQUEST, reply, quiet_s) == [(0.0, reply)]
    assert box.shape("poc", REQUEST, reply, 112.0) == [(0.0, reply)], "another device"
    return box.shape("pcs1", REQUEST, reply, 112.0)


@pytest.mark.parametrize(
    ("kind", "params", "verdict"),
    [
        ("bad_crc", {}, Outcome.CRC),
        ("wrong_unit", {}, Outcome.MISMATCH),
        ("wrong_unit", {"address": 77}, Outcome.MISMATCH),
        ("wrong_function", {}, Outcome.MISMATCH),
        ("wrong_function", {"function": 1}, Outcome.MISMATCH),
        ("truncated", {}, Outcome.CRC),
        ("truncated", {"keep_bytes": 255}, Outcome.CRC),
    ],
)
def test_a_spoilt_reply_is_judged_rightly_by_the_driver(kind: str, params: dict[str, float], verdict: Outcome) -> None:
    ((delay_s, data),) = spoilt(kind, **params)
    expect = Expect(REQUEST)
    assert delay_s == 0.0 and expect.match(data) is None and expect.verdict(data) == verdict


@pytest.mark.parametrize("kind", ["noise_prefix", "echo"])
def test_what_comes_before_a_right_reply_does_not_hide_it(kind: str) -> None:
    ((_, data),) = spoilt(kind)
    assert len(data) > 49 and isinstance(Expect(REQUEST).match(data), bytes)


def test_a_late_reply_is_whole() -> None:
    ((delay_s, data),) = spoilt("late", delay_s=0.75)
    assert delay_s == 0.75 and len(data) == 49


@pytest.mark.parametrize(("kind", "name"), [("silence", "pcs1"), ("meter_loss", "poc"), ("bus_cut", "fast")])
def test_a_silent_device_hears_nothing_either(kind: str, name: str) -> None:
    box = FaultBox([Fault(name, kind, 10.0, 5.0)])
    assert [box.hears(name, at_s) for at_s in (9.9, 10.0, 14.9, 15.0)] == [True, False, False, True]
    assert box.hears("it1", 12.0)


def test_frozen_registers_keep_their_image_and_thaw() -> None:
    kit = Kit()
    box = FaultBox([Fault("poc", "frozen", 10.0, 10.0)])
    request = read_request(1, 3, 0x5B14, 2)
    seen = []
    for now_s in range(5, 25):
        kit.step(1.0)
        ((_, data),) = box.shape("poc", request, kit.poc.receive(request) or b"", float(now_s))
        seen.append(data)
    assert [len(set(seen[a:b])) for a, b in ((0, 5), (5, 15), (15, 20))] == [5, 1, 5]


def test_a_chance_strikes_the_same_replies_for_a_seed() -> None:
    def pattern(seed: int) -> list[bool]:
        box = FaultBox([Fault("poc", "silence", 0.0, FOREVER_S, {"chance": 0.3})], seed)
        return [box.hears("poc", float(n)) for n in range(1_000)]

    assert pattern(1) == pattern(1) != pattern(2)
    assert 620 < sum(pattern(1)) < 780


def test_plant_faults_begin_and_end() -> None:
    kit = Kit()
    kinds = {"pcs_estop": "pcs1", "pcs_local": "pcs1", "bms_alarm": "bms1", "bms_trip": "bms1", "pv_fault": "pv1"}
    box = FaultBox([Fault(device, kind, 5.0, 5.0) for kind, device in kinds.items()])
    devices: dict[str, Pcs | Bms | Pv] = {"pcs1": kit.unit.pcs, "bms1": kit.unit.bms, "pv1": kit.site.pv}
    seen = []
    for now_s in range(20):
        box.act(devices, float(now_s))
        kit.step(1.0)
        bms, pcs = kit.unit.bms, kit.unit.pcs
        seen.append((pcs.estop, pcs.local, bool(bms.alarm_names), kit.site.pv.fault))
    assert seen == [(5 <= n < 10,) * 4 for n in range(20)]
    assert kit.unit.bms.trip_names, "a trip stays after its cause"


def test_a_pcs_trip_comes_back_while_it_lasts_and_can_be_cleared_after() -> None:
    kit = Kit()
    box, pcs = FaultBox([Fault("pcs1", "pcs_trip", 1.0, 2.0)]), kit.unit.pcs
    states = []
    for now_s in (1.5, 2.0, 3.5):
        box.act({"pcs1": pcs}, now_s)
        states.append(ask(kit.pcs, "state")["status"])
        pcs.clear()
        kit.site.version += 1
    assert states == [1, 1, 0]


def test_a_plant_fault_of_the_wrong_device_is_refused() -> None:
    kit = Kit()
    for device in ("bms1", "nobody"):
        with pytest.raises(ConfigFault, match="has no pcs_trip"):
            FaultBox([Fault(device, "pcs_trip", 0.0)]).act({"bms1": kit.unit.bms}, 1.0)


def test_faults_are_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        '[[fault]]\ndevice = "poc"\nkind = "late"\nat_s = 60\nfor_s = 5.5\ndelay_s = 0.4\n'
        '[[fault]]\ndevice = "fast"\nkind = "bus_cut"\nat_s = 100\n'
    )
    first, second = load_faults(path, NAMES)
    assert first == Fault("poc", "late", 60.0, 5.5, {"delay_s": 0.4}) and first.param("chance") == 1.0
    assert second.is_on(1e8) and not second.is_on(99.0)


@pytest.mark.parametrize("text", ["[[fault", "fault = 3"])
def test_a_file_that_is_no_fault_list_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(ConfigFault, match=r"s\.toml: fault"):
        load_faults(path)
    with pytest.raises(ConfigFault, match="cannot be read"):
        load_faults(tmp_path / "none.toml")


def test_every_mistake_is_named_at_once() -> None:
    text = """
    fault = [
      { device = "nobody", kind = "silence", at_s = -1 },
      { device = "poc", kind = "gremlin", at_s = 1 },
      { device = "poc", kind = "silence" },
      { device = "poc", kind = "silence", at_s = 1, delay_s = 4 },
      { device = "poc", kind = "noise_prefix", at_s = true, noise_bytes = 900 },
      { device = "bms1", kind = "pcs_trip", at_s = 1 },
      { device = "pcs1", kind = "bus_cut", at_s = 1 },
    ]
    """
    with pytest.raises(ConfigFault) as fault:
        parse_faults(tomli.loads(text)["fault"], "s.toml", NAMES)
    keys = [problem.key for problem in fault.value.problems]
    assert keys == [
        "fault[0].device", "fault[0].at_s", "fault[1].kind", "fault[2].at_s", "fault[3].delay_s", "fault[4].at_s",
        "fault[4].noise_bytes", "fault[5].device", "fault[6].device",
    ]  # fmt: skip


def test_every_kind_has_a_default_inside_its_range() -> None:
    for kind, params in PARAMS.items():
        for name, (default, low, high) in params.items():
            assert low <= default <= high, (kind, name)
