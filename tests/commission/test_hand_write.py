"""A value by hand, through the bus and the gate onto a pseudo terminal and into a slave: signed, wide, either word first."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import tomli

from edge.clock import SystemClock
from edge.commission.bench import Bench
from edge.commission.line import Heard
from edge.config import options
from edge.console.view import Told
from edge.control.authority import Authority
from edge.control.kernel import Gate, Kernel, Mode
from edge.control.settings import config_struct
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.port import TtyPort
from edge.field.line.rtu import Expect, with_crc
from edge.field.profile import Profile
from edge.field.profiles.loader import FOLDER, parse_profile
from edge.field.rules import gate_rules
from edge.model import Outcome
from hil.day.image import day_config
from hil.plant.faces import pv_face
from hil.plant.site import Site, SiteSpec
from hil.pty import PtyBus
from hil.slave import Slave

pytestmark = pytest.mark.hil
LIMIT_W = 50_000
FORMS: list[dict[str, Any]] = [
    {"fc": fc, "type": kind, "word_order": order, "sign": sign, "scale": scale}
    for fc, kind, order in ((6, "s16", "big"), (16, "s16", "big"), (16, "s32", "big"), (16, "s32", "little"))
    for sign, scale in ((1, 0.1), (-1, 0.1), (-1, 0.005))
    if kind == "s32" or scale > 0.01
]


def signed_pv(form: dict[str, Any]) -> Profile:
    """A PV inverter whose limit may be below zero: one that may draw from the grid."""
    tables = tomli.loads((FOLDER / "sungrow-sg.toml").read_text())
    verify = {"addr": 5039, "fc": 3, "delay_ms": 1, "tol": 0}
    (write,) = tables["write"]
    write |= form | {"min": -LIMIT_W, "max": LIMIT_W, "min_interval_ms": 0, "verify": verify}
    tables["profile"]["id"] = "signed-pv"
    return parse_profile(tables, "signed-pv.toml")


class Desk:
    """What the console has, with one inverter on a PTY; the site is in SERVICE."""

    def __init__(self, profile: Profile, path: str) -> None:
        settings = options.Port(name="a", path=path, baud=115_200)
        pv = options.Device(name="pv1", profile=profile.id, port="a", address=7, use="pv")
        config = replace(day_config(), port=(settings,), device=(pv,))
        device, clock = BusDevice(pv, profile), SystemClock()
        kernel, rules = Kernel(config_struct(day_config())), gate_rules(config, [device])
        kernel.output.mode = Mode.SERVICE
        gate = Gate(rules, kernel.output)
        self.bus = Bus(
            0, settings, TtyPort(settings), [device], clock, lambda _: None,
            lambda *write: gate.allowed(*write, clock.mono_ms()),
        )  # fmt: skip
        self._bench = Bench(
            config, {"pv1": device}, self._ask, kernel, Authority(auto_run=False), clock, str, rules, 16
        )

    async def _ask(self, device: BusDevice, expect: Expect) -> Heard:
        return Heard(await self.bus.ask(device.name, expect))

    async def write(self, watts: int) -> Told:
        return await self._bench.run("write", ("pv1", "power_limit", str(watts), "W"))


def play(form: dict[str, Any], script: Callable[[Desk, list[float]], Awaitable[None]]) -> None:
    """`script` has the desk, and what the slave has understood, in watts."""

    async def main() -> None:
        profile, site, taken = signed_pv(form), Site(SiteSpec()), list[float]()
        face = replace(pv_face(site), writes={"power_limit": taken.append})
        line = PtyBus("a", 115_200, [Slave(profile, 7, face, "pv1")])
        line.start()
        desk = Desk(profile, line.path)
        task = asyncio.create_task(desk.bus.run())
        try:
            await asyncio.wait_for(script(desk, taken), 20)
        finally:
            task.cancel()
            await asyncio.wait({task})
            line.stop()

    asyncio.run(main())


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(str(value) for value in form.values()))
def test_a_value_below_zero_arrives_as_itself_and_is_read_back(form: dict[str, Any]) -> None:
    async def script(desk: Desk, taken: list[float]) -> None:
        for watts in (-12_500, 12_500, -LIMIT_W, -100, 0):
            told = await desk.write(watts)
            assert told.ok and told.data["value"] == told.data["read_back"] == watts, told.data
            assert taken[-1] == pytest.approx(watts)

    play(form, script)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(str(value) for value in form.values()))
def test_what_is_outside_the_profile_stays_away_from_the_line(form: dict[str, Any]) -> None:
    async def script(desk: Desk, taken: list[float]) -> None:
        for watts in (-LIMIT_W - 100, LIMIT_W + 100):
            told = await desk.write(watts)
            assert not told.ok and "outside the range" in told.data["error"]
        assert not taken

    play(form, script)


def test_a_number_that_does_not_say_its_sign_is_judged_without_one() -> None:
    """Who brings only registers is refused where the profile's range is signed: they could mean either."""
    request = bytes.fromhex("0706 13AE FF83")

    async def script(desk: Desk, taken: list[float]) -> None:
        profile = signed_pv(FORMS[0])
        (write,) = profile.writes
        body = request[:2] + write.addr.to_bytes(2, "big") + request[4:]
        assert await desk.bus.ask("pv1", Expect(with_crc(body))) is Outcome.GATE
        assert isinstance(await desk.bus.ask("pv1", Expect(with_crc(body), -125)), bytes) and taken == [-12_500]

    play(FORMS[0], script)
