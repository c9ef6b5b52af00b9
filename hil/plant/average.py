"""A moving mean: what a meter shows that averages its power over a window."""

from collections import deque


class MovingMean:
    """Fed each step of the plant; `value` is the mean over the last `window_s`, over what there is until then."""

    __slots__ = ("_covered_s", "_parts", "_sum_ws", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._parts: deque[tuple[float, float]] = deque()  # (duration, power), oldest first
        self._covered_s = self._sum_ws = 0.0

    def note(self, dt_s: float, power_w: float) -> None:
        self._parts.append((dt_s, power_w))
        self._covered_s += dt_s
        self._sum_ws += dt_s * power_w
        while self._covered_s > self.window_s and len(self._parts) > 1:
            first_s, first_w = self._parts[0]
            gone_s = min(first_s, self._covered_s - self.window_s)
            self._covered_s -= gone_s
            self._sum_ws -= gone_s * first_w
            if gone_s < first_s:
                self._parts[0] = (first_s - gone_s, first_w)
                return
            self._parts.popleft()

    @property
    def value(self) -> float:
        return self._sum_ws / self._covered_s if self._covered_s else 0.0
