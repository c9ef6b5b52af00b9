"""Energy registers at both ends of an interval. Energy is never lost in a register, only its shape.

A span begins where the one before it ended: the newest value read before the boundary. What a register does when it goes
back is said in the span's reason, first word `rollover` or `exchange`.
"""

from collections.abc import Iterable, Mapping

from edge.carbon.interval import RegisterSpan
from edge.model import RegisterValue

ROLLOVER_MIN_PERMILLE = (
    900  # a register that begins again was in the last tenth before, and is in the first tenth after
)

Key = tuple[str, str]  # device, role


class RegisterBook:
    """The newest value of every register, and where the open interval found it."""

    def __init__(
        self, register_max_wh: Mapping[str, int] | None = None, ratio: Mapping[str, tuple[int, int]] | None = None
    ) -> None:
        """By device: where its registers begin again at 0 (0 or absent: not stated); what a counted Wh is, as a fraction."""
        self._max_wh, self._ratio = dict(register_max_wh or {}), dict(ratio or {})
        self._newest: dict[Key, int] = {}
        self._opened: dict[Key, int] = {}
        self._stale: dict[Key, int] = {}  # newest before a restart: where an interval ends that nobody saw the end of

    def note(self, values: Iterable[RegisterValue]) -> None:
        for device, role, value_wh in values:
            key = (device, role)
            self._newest[key] = value_wh
            self._opened.setdefault(key, value_wh)

    def close(self) -> tuple[RegisterSpan, ...]:
        """The spans of the interval that ends, in a fixed order; the next one begins here.

        Behind a restart it begins with its own first reading: what passed meanwhile is not the next interval's alone.
        """
        newest = self._stale | self._newest
        spans = tuple(self._span(key, newest[key]) for key in sorted(newest))
        self._opened, self._stale = dict(self._newest), {}
        return spans

    def freeze_state(self) -> list[list[str | int]]:
        """[device, role, Wh at the start of the open interval, newest Wh], for the checkpoint."""
        newest = self._stale | self._newest
        return [
            [device, role, value, newest.get((device, role), value)]
            for (device, role), value in sorted(self._opened.items())
        ]

    def resume(self, state: Iterable[Iterable[str | int]]) -> None:
        for device, role, opened, newest in state:
            key = (str(device), str(role))
            self._opened[key], self._stale[key] = int(opened), int(newest)

    def _span(self, key: Key, stop: int) -> RegisterSpan:
        device, role = key
        start = self._opened.get(key)
        if start is None:
            return RegisterSpan(device, role, None, stop, None, "estimated", "first reading")
        if stop >= start:
            return RegisterSpan(device, role, start, stop, self._scaled(device, stop - start), "measured")
        modulus = self._max_wh.get(device, 0)
        tenth = modulus * (1000 - ROLLOVER_MIN_PERMILLE) // 1000
        if modulus > start >= modulus - tenth and stop <= tenth:
            delta = self._scaled(device, stop - start + modulus)
            return RegisterSpan(device, role, start, stop, delta, "measured", f"rollover at {modulus} Wh")
        return RegisterSpan(device, role, start, stop, None, "estimated", "exchange or reset: the register went back")

    def _scaled(self, device: str, counted_wh: int) -> int:
        up, down = self._ratio.get(device, (1, 1))
        return counted_wh * up // down
