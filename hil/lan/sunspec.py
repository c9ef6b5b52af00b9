"""A simulated SunSpec device: a chain of models as registers, with heartbeats and the reversion timer of model 704.

Written apart from the walk on purpose: it lays registers out, the walk takes them apart, and neither uses the other's
code (nothing of the folder sunspec may be imported here). Only the layouts are the same file.
"""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from hil.framing import is_intact, refusal, sealed

Values = Mapping[str, int | float | str]
END = 0xFFFF
READ_MAX, WRITE_MAX = 125, 123  # registers, by the protocol
_PACK = {
    "int16": ">h", "uint16": ">H", "count": ">H", "enum16": ">H", "bitfield16": ">H", "sunssf": ">h", "acc16": ">H",
    "int32": ">i", "uint32": ">I", "bitfield32": ">I", "acc32": ">I", "float32": ">f", "uint64": ">Q", "acc64": ">Q",
}  # fmt: skip
_NOTHING = {
    "int16": "8000", "uint16": "FFFF", "count": "FFFF", "enum16": "FFFF", "bitfield16": "FFFF", "sunssf": "8000",
    "int32": "80000000", "uint32": "FFFFFFFF", "bitfield32": "FFFFFFFF", "float32": "7FC00000",
    "uint64": "FFFFFFFFFFFFFFFF", "acc16": "0000", "acc32": "00000000", "acc64": "0000000000000000", "pad": "8000",
}  # fmt: skip


def layouts() -> dict[str, Any]:
    """The models as the file has them, by number in letters."""
    text = files("edge.field.sunspec").joinpath("models.json").read_text(encoding="utf-8")
    models: dict[str, Any] = json.loads(text)["models"]
    return models


class Map:
    """The registers of a device. `where` tells the address of a point, `"802.SoC"` or `"803.string[1].StrSoC"`."""

    def __init__(
        self, models: Sequence[tuple[int, Values]], base: int = 40_000, *, has_end_length: bool = True
    ) -> None:
        """`models` in order: number, and what its points hold (raw); the others say "not implemented"."""
        self.base = base
        self.registers: dict[int, int] = {}
        self.where: dict[str, int] = {}
        self._kinds: dict[str, tuple[str, int]] = {}
        self._at = base
        self._append(b"SunS")
        known = layouts()
        for number, values in models:
            self._model(number, known.get(str(number)), values)
        self._append(b"\xff\xff\x00\x00" if has_end_length else b"\xff\xff")

    def _append(self, data: bytes) -> None:
        for (word,) in struct.iter_unpack(">H", data):
            self.registers[self._at] = word
            self._at += 1

    def _model(self, number: int, layout: Any, values: Values) -> None:
        start = self._at
        self._append(struct.pack(">HH", number, 0))
        if layout is None:  # a vendor's own: its length is all that anybody knows
            self._append(bytes(2 * int(values["L"])))
        else:
            self._points(f"{number}.", layout["points"][2:], values)
            for group in layout.get("groups", ()):
                self._repeat(number, group, values)
        length = self._at - start - 2
        cut = int(values.get("L", length)) if layout is not None else length  # an older, shorter edition of the model
        for addr in range(start + 2 + cut, self._at):
            del self.registers[addr]
        self._at = start + 2 + cut
        for name in [name for name, (_, size) in self._kinds.items() if self.where[name] + size > self._at]:
            del self.where[name], self._kinds[name]
        self.registers[start + 1] = cut
        self.where |= {f"{number}.ID": start, f"{number}.L": start + 1}

    def _repeat(self, number: int, group: Any, values: Values) -> None:
        if "count" not in group:
            self._points(f"{number}.{group['name']}.", group["points"], values)
            return
        times = int(values.get(group["count"] or "N", 0)) if group["count"] else int(values.get("N", 0))
        for index in range(times):
            self._points(f"{number}.{group['name']}[{index}].", group["points"], values)

    def _points(self, prefix: str, points: Any, values: Values) -> None:
        for name, kind, size, *_ in points:
            whole = prefix + name
            self.where[whole], self._kinds[whole] = self._at, (kind, size)
            value = values.get(whole.split(".", 1)[1])
            self._append(self._packed(kind, size, value))

    @staticmethod
    def _packed(kind: str, size: int, value: int | float | str | None) -> bytes:
        if kind == "string":
            return str(value or "").encode("ascii").ljust(2 * size, b"\0")
        return bytes.fromhex(_NOTHING[kind]) if value is None else struct.pack(_PACK[kind], value)

    def put(self, name: str, value: int | float | str | None) -> None:
        """A new raw value of a point; None: not implemented."""
        kind, size = self._kinds[name]
        data = self._packed(kind, size, value)
        for index, (word,) in enumerate(struct.iter_unpack(">H", data)):
            self.registers[self.where[name] + index] = word

    def get(self, name: str) -> int | float:
        """The raw value of a point that is a number."""
        kind, size = self._kinds[name]
        words = [self.registers[self.where[name] + index] for index in range(size)]
        (value,) = struct.unpack(_PACK[kind], struct.pack(f">{size}H", *words))
        number: int | float = value
        return number

    def has(self, name: str) -> bool:
        return name in self.where


class SunSpecSlave:
    """What a bus or a TCP server asks: `receive` a frame of RTU, get the reply. `now_s` is any steady time."""

    def __init__(
        self,
        map_: Map,
        address: int,
        name: str = "sunspec",
        *,
        now_s: Callable[[], float] = lambda: 0.0,
        regs_max: int = READ_MAX,
        turnaround_s: float = 0.01,
    ) -> None:
        self.map, self.address, self.name, self.turnaround_s = map_, address, name, turnaround_s
        self.request_count = 0
        self.writes: list[tuple[int, tuple[int, ...]]] = []
        self._now_s, self._regs_max = now_s, regs_max
        self._enabled_s = 0.0  # when the setpoint of model 704 was last written

    def receive(self, frame: bytes) -> bytes | None:
        """The reply, or None when it is not for this device or damaged."""
        if len(frame) < 8 or frame[0] != self.address or not is_intact(frame):
            return None
        self.request_count += 1
        self._let_time_pass()
        function, start, count = struct.unpack(">BHH", frame[1:6])
        if function == 3 and len(frame) == 8:
            return self._read(start, count)
        if function in (6, 16):
            return self._write(frame, function, start)
        return refusal(self.address, function, 1)

    def _read(self, start: int, count: int) -> bytes:
        if not 1 <= count <= self._regs_max:
            return refusal(self.address, 3, 3)
        words = [self.map.registers.get(addr) for addr in range(start, start + count)]
        if None in words:
            return refusal(self.address, 3, 2)
        return sealed(struct.pack(f">BBB{count}H", self.address, 3, 2 * count, *words))

    def _write(self, frame: bytes, function: int, start: int) -> bytes:
        body = frame[4:6] if function == 6 else frame[7:-2]
        count = len(body) // 2
        if function == 16 and (struct.unpack(">HB", frame[4:7]) != (count, 2 * count) or not 1 <= count <= WRITE_MAX):
            return refusal(self.address, function, 3)
        if any(addr not in self.map.registers for addr in range(start, start + count)):
            return refusal(self.address, function, 2)
        words = struct.unpack(f">{count}H", body)
        self.writes.append((start, words))
        for addr, word in enumerate(words, start):
            self.map.registers[addr] = word
        if self.map.has("704.WSetEna") and start <= self.map.where["704.WSetEna"] < start + count:
            self._enabled_s = self._now_s()
        return frame if function == 6 else sealed(frame[:6])

    def _let_time_pass(self) -> None:
        """Heartbeats count seconds; a setpoint that nobody renewed in time gives way to the one for that case."""
        seconds, device = int(self._now_s()), self.map
        for name in ("715.DERHb", "802.Hb"):
            if device.has(name):
                device.put(name, seconds % 30_000)
        if not device.has("704.WSetRvrtTms") or device.get("704.WSetEna") != 1:
            return
        timer_s = device.get("704.WSetRvrtTms")
        if 0 < timer_s < 0xFFFF_FFFF and self._now_s() - self._enabled_s >= timer_s:
            device.put("704.WSet", device.get("704.WSetRvrt"))
            device.put("704.WSetEna", device.get("704.WSetEnaRvrt"))
