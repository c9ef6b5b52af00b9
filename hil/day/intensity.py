"""A grid signal that does not exist: hour-of-day shape plus a slow random walk, seeded; implements IntensitySignal.

Fitted on 17 544 hours of ERCOT 2020-2021 (CarbonCast, upstream EIA-930, direct emissions): mean 299 g/kWh, the shape
below (UTC), and an anomaly of 60 g/kWh standard deviation with an hourly autocorrelation of 0.98.
"""

import math
from random import Random

from edge.plan.signals.base import IntensityReading

MEAN_G_PER_KWH = 299.0
SHAPE_G_PER_KWH = (
    23, 28, 23, 11, -1, -12, -22, -30, -32, -31, -27, -19, -8, 2, 5, 3, 4, 8, 11, 14, 14, 13, 12, 14,
)  # fmt: skip
ANOMALY_G_PER_KWH = 60.0
HOURLY_CORRELATION = 0.98
FLOOR_G_PER_KWH = 80.0  # the lowest hour of the two years was 97
MS_PER_HOUR = 3_600_000


class SeededIntensity:
    """The intensity of a region much like ERCOT. Answers for any time, always the same for one seed."""

    def __init__(self, seed: int, hours_per_hour: int = 1) -> None:
        """`hours_per_hour` speeds the grid's day up, so that a short demo sees all of it."""
        self.source = "simulated grid"
        self._speed = hours_per_hour
        random = Random(f"{seed}-intensity")
        noise = ANOMALY_G_PER_KWH * math.sqrt(1 - HOURLY_CORRELATION**2)
        self._anomaly = [random.gauss(0, ANOMALY_G_PER_KWH)]
        for _ in range(24 * 31):
            self._anomaly.append(self._anomaly[-1] * HOURLY_CORRELATION + random.gauss(0, noise))

    def poll(self, mono_ms: int, wall_ms: int) -> IntensityReading:
        """Measured, because in this world it is."""
        hour = mono_ms * self._speed / MS_PER_HOUR
        first = int(hour)
        value = (1 - hour + first) * self._at(first) + (hour - first) * self._at(first + 1)
        return IntensityReading(round(1_000 * value), 0, "measured", self.source, wall_ms)

    def _at(self, hour: int) -> float:
        anomaly = self._anomaly[hour % len(self._anomaly)]
        return max(FLOOR_G_PER_KWH, MEAN_G_PER_KWH + SHAPE_G_PER_KWH[hour % 24] + anomaly)
