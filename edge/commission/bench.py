"""The technician's hand inside a running controller: the console's words that have to ask devices, or move the battery.

Questions go out as the bus's last priority; a write passes the gate like any other. The sign test is given its time after
each cycle. One of them at a time; cancelled (the peer has gone), it ends what it does.
"""

import asyncio
import dataclasses
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from edge.clock import Clock
from edge.commission.average.readings import StepReadings
from edge.commission.average.words import average_data, average_line
from edge.commission.live.advice import result_data, result_lines
from edge.commission.live.measure import TRIES, measure
from edge.commission.live.report import rows
from edge.commission.live.sign import SignTest
from edge.commission.live.verdicts import device_lines
from edge.commission.points import Ask, read_back, read_points
from edge.commission.value import failure_text, values_screen
from edge.commission.writing import find_write, parse_value, why_refused
from edge.config.options import Config
from edge.console.screens import WIDTH, clean
from edge.console.view import Told
from edge.control.authority import Authority
from edge.control.kernel import Mode
from edge.errors import EdgeError
from edge.field.device import BusDevice
from edge.field.encode import Encoded, encode
from edge.field.line.rtu import Expect, write_request
from edge.field.profile import Write
from edge.field.rules import Rule
from edge.model import Outcome, Reading
from edge.roles import WRITES
from edge.units import show

TRIES_MAX = 1_000


class Decided(Protocol):
    """The kernel's last input and output."""

    input: Any
    output: Any


def refusal(text: str) -> Told:
    """A word that is not done, and why."""
    safe = clean(text, 400)
    return Told(textwrap.wrap(safe, WIDTH), {"error": safe}, ok=False)


class Bench:
    """Owned by the controller. `run` is what the console calls, `after_cycle` what the cycle calls."""

    def __init__(
        self,
        config: Config,
        devices: Mapping[str, BusDevice],
        ask: Ask,
        kernel: Decided,
        authority: Authority,
        clock: Clock,
        reasons: Callable[[], str],
        rules: Sequence[Rule],
        registers_max: int,
    ) -> None:
        """`rules`: the gate's rows; `registers_max`: of one question on a running bus."""
        self._config, self._devices, self._ask = config, devices, ask
        self._kernel, self._authority, self._clock, self._reasons = kernel, authority, clock, reasons
        self._rules, self._registers_max = rules, registers_max
        self._ports = {port.name: port for port in config.port}
        self._test: SignTest | None = None
        self._ended: asyncio.Future[None] | None = None

    async def run(self, word: str, args: tuple[str, ...]) -> Told:
        """One word of the console."""
        try:
            return await self._run(word, args)
        except EdgeError as fault:  # no such point, or a question that would make others late
            return refusal(str(fault))

    async def _run(self, word: str, args: tuple[str, ...]) -> Told:
        match word, args:
            case "read", (device, *points) if device in self._devices:
                return await self._read(self._devices[device], points)
            case "check", (device,) if device in self._devices:
                return await self._check(self._devices[device], TRIES)
            case "check", (device, tries) if device in self._devices:
                if not (tries.isascii() and tries.isdigit() and 1 <= int(tries[:6]) <= TRIES_MAX):
                    return refusal(f"'{tries}' tries: must be 1..{TRIES_MAX}")
                return await self._check(self._devices[device], int(tries))
            case "write", (device, point, number, unit) if device in self._devices:
                return await self._write(self._devices[device], point, number, unit)
            case "write", (device, *_) if device in self._devices:
                return refusal("write takes DEVICE POINT VALUE UNIT, such as: write pv1 power_limit 20 kW")
            case "sign-test", ():
                return self._progress()
            case "sign-test", ("run",):
                return await self._sign_test()
            case "sign-test", _:
                return refusal("sign-test takes `run`, or nothing to see how far it is")
            case _, ():
                return refusal(f"{word} needs a device: {', '.join(self._devices)}")
        return refusal(f"no device '{args[0][:20]}'; there are: {', '.join(self._devices)}")

    # ---- questions

    async def _read(self, device: BusDevice, points: list[str]) -> Told:
        values = await read_points(self._ask, device, points, self._clock, self._registers_max)
        lines = values_screen(values, self._clock.mono_ms())
        return Told(lines, [dataclasses.asdict(value) for value in values])

    async def _check(self, device: BusDevice, tries: int) -> Told:
        port = self._ports[device.settings.port]
        seen = await measure(self._ask, device, port, tries, guarded=device.guarded, registers_max=self._registers_max)
        return Told(rows(list(device_lines(device, seen))), dataclasses.asdict(seen))

    # ---- a write

    async def _write(self, device: BusDevice, name: str, number: str, unit: str) -> Told:
        out = self._kernel.output
        if out.mode != Mode.SERVICE:
            return refusal(
                f"writes by hand are for SERVICE (0 kW), the site is in {Mode(out.mode).name}; type: service"
            )
        write = find_write(device, name)
        if isinstance(write, str):
            return refusal(write)
        value = parse_value(device, write, number, unit)
        if isinstance(value, str):
            return refusal(value)
        encoded = encode(write, value)
        request = write_request(device.settings.address, write.fc, write.addr, encoded.registers)
        expect = Expect(request, encoded.raw)
        answer = (await self._ask(device, expect)).answer
        if answer is Outcome.GATE and expect.write is not None:
            port_index = list(self._ports).index(device.settings.port)
            return refusal(f"refused: {why_refused(self._rules, port_index, expect.write, out)}")
        if not isinstance(answer, bytes):
            return refusal(f"not written: {failure_text(answer)}")
        return await self._written(device, write, encoded)

    async def _written(self, device: BusDevice, write: Write, encoded: Encoded) -> Told:
        """What was echoed, and what the device says afterwards."""
        unit = WRITES[device.profile.kind][write.name]
        value = round(encoded.raw * write.factor * write.sign)
        data: dict[str, Any] = {
            "device": device.name,
            "point": write.name,
            "value": value,
            "unit": unit,
            "raw": encoded.raw,
        }
        lines = [f"{device.name} {write.name} = {show(value, unit)} (raw {encoded.raw}), echoed"]
        ok = True
        if write.verify is not None:
            await asyncio.sleep(write.verify.delay_ms / 1000)
            back = await read_back(self._ask, device, write, self._clock)
            ok = back.value is not None and abs(back.value - value) <= write.verify.tol * write.factor
            data["read_back"] = back.value
            lines.append(f"read back {back.text}" + ("" if ok else f": not what was written ({back.quality})"))
        else:
            lines.append("the profile knows no read-back: the echo is all there is")
        if device.boxes[write.name].value is not None:
            every_s = write.max_interval_ms / 1000
            lines.append(f"the controller writes this too, every {every_s:g} s at least: its value returns")
        data["lines"] = lines
        return Told(lines, data if ok else data | {"error": "; ".join(lines)}, ok)

    # ---- the sign test

    def _progress(self) -> Told:
        text = self._test.progress() if self._test is not None else "no sign test runs"
        return Told([text], {"running": self._test is not None, "text": text})

    async def _sign_test(self) -> Told:
        """Until it is over, at 0 W and in SERVICE; also when whoever asked goes away."""
        if self._test is not None:
            return refusal("a sign test runs already")
        profiles = {name: device.profile for name, device in self._devices.items()}
        test = SignTest(self._config, self._reasons, StepReadings(self._config, self._devices))
        why_not = test.refusal(self._kernel.input, self._kernel.output)
        if why_not:
            return refusal(f"no sign test: {why_not}")
        self._test, self._ended = test, asyncio.get_running_loop().create_future()
        try:
            await self._ended
        except asyncio.CancelledError:
            test.stop("stopped")
            raise
        lines, effect = result_lines(self._config, profiles, test), test.effect()
        if effect is None or effect.poc.word not in ("right", "reversed"):
            return Told(rows(lines), result_data(self._config, lines, test))
        poc = next(device for device in self._devices.values() if device.settings.use == "poc")
        found = await test.readings.whole_lag()
        lines.append(average_line(self._config, poc, found))
        return Told(rows(lines), result_data(self._config, lines, test) | {"average": average_data(poc, found)})

    def note(self, reading: Reading) -> None:
        """Every reading of the buses."""
        if self._test is not None:
            self._test.readings.note(reading)

    def after_cycle(self) -> None:
        """Gives a running sign test its time."""
        test = self._test
        if test is None:
            return
        standing = self._authority.standing.commands
        for request in test.step(self._clock.mono_ms(), self._kernel.input, self._kernel.output, standing):
            self._authority.offer(request)
        if test.phase == "done":
            self._test = None
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(None)
