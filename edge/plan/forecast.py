"""What the intensity probably is while nobody says: hour-of-day profile of 28 days plus the fading anomaly of 6 hours.

    forecast(t) = profile[hour of t] + anomaly * exp(-(t - newest) / 18 h)

Fifteen lines that were the best of the simple ones on ERCOT and CAISO, July to December 2021 (day-ahead mean error 12.5
and 10.8 %; yesterday's value 14.5 and 10.8, the mean of seven days 16.1 and 13.7). Hours are those of UTC: an hour of
daylight saving is worth less than a table of zones.
"""

import math
from collections.abc import Iterable

HOUR_MS = 3_600_000
PROFILE_DAYS, WEEK_DAYS = 28, 7
ANOMALY_HOURS, FADE_HOURS = 6, 18.0
AHEAD_MAX_HOURS = 48  # measured up to the second day; farther the mean of a week is as good
DAYS_MIN = 3  # of one hour: fewer are no profile


class HourlyHistory:
    """Mean intensity of each hour of the last 28 days, mg/kWh. At most 673 hours in memory."""

    def __init__(self) -> None:
        self._hours: dict[int, tuple[int, int]] = {}  # hour since 1970 -> (sum of mg/kWh * s, s)
        self._newest = -1

    def note(self, start_wall_ms: int, interval_s: int, value_mg_per_kwh: int) -> None:
        """An interval of at most an hour; what is older than the profile is not taken."""
        hour = start_wall_ms // HOUR_MS
        if hour <= self._newest - PROFILE_DAYS * 24:
            return
        sum_, span_s = self._hours.get(hour, (0, 0))
        self._hours[hour] = (sum_ + value_mg_per_kwh * interval_s, span_s + interval_s)
        if hour > self._newest:
            self._newest = hour
            oldest = hour - PROFILE_DAYS * 24
            for gone in [h for h in self._hours if h < oldest]:
                del self._hours[gone]

    def forecast_mg_per_kwh(self, wall_ms: int) -> int | None:
        """For a time after the newest hour; None when too little is known or it is too far ahead."""
        hour = wall_ms // HOUR_MS
        ahead = hour - self._newest
        profile = self._mean(hour, PROFILE_DAYS)
        if profile is None or not 0 <= ahead <= AHEAD_MAX_HOURS:
            return None
        anomalies = [
            self._value(past) - usual
            for past in range(self._newest - ANOMALY_HOURS + 1, self._newest + 1)
            if past in self._hours and (usual := self._mean(past, PROFILE_DAYS)) is not None
        ]
        anomaly = sum(anomalies) / len(anomalies) if anomalies else 0.0
        return max(0, round(profile + anomaly * math.exp(-ahead / FADE_HOURS)))

    def week_mean_mg_per_kwh(self, wall_ms: int) -> int | None:
        """Mean of the same hour in the seven days before a time; None with fewer than three of them."""
        mean = self._mean(wall_ms // HOUR_MS, WEEK_DAYS)
        return None if mean is None else round(mean)

    def _mean(self, hour: int, days: int) -> float | None:
        """Of the same hour of the days before it; the hour itself, of which part may be known, is not among them."""
        past = [self._value(hour - 24 * day) for day in range(1, days + 1) if hour - 24 * day in self._hours]
        return sum(past) / len(past) if len(past) >= DAYS_MIN else None

    def _value(self, hour: int) -> float:
        sum_, span_s = self._hours[hour]
        return sum_ / span_s

    def lines(self) -> Iterable[str]:
        """To be written down: one hour a line."""
        return (f"{hour} {sum_} {span_s}" for hour, (sum_, span_s) in sorted(self._hours.items()))

    def read_lines(self, lines: Iterable[str]) -> bool:
        """What `lines` gave; False, and nothing taken, when something else stands there."""
        found: dict[int, tuple[int, int]] = {}
        for line in lines:
            parts = line.split()
            if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in parts):
                return False
            hour, sum_, span_s = (int(part) for part in parts)
            if span_s == 0:
                return False
            found[hour] = (sum_, span_s)
        if len(found) > PROFILE_DAYS * 24 + 1:
            return False
        self._hours, self._newest = found, max(found, default=-1)
        return True
