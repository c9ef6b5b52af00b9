"""Clocks that are wrong: no battery behind them, a day off, set by hand, in summer time; every stamp must come out right."""

import os
import random
import time
from datetime import UTC, datetime

from edge.store.clockmap import ClockMap
from tests.store.test_clockmap import Gateway
from tests.torture.replay import Tally

DAY_MS = 86_400_000
WRONG_MS = (-56 * 365 * DAY_MS, -DAY_MS, DAY_MS, -3_600_000, 3_600_000, 7 * DAY_MS)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe")  # the last moves by half an hour


def boots(count: int, seed: int) -> Tally:
    """Boots with a wrong clock, time sync at some moment, and hands that set it wrong until the next sync."""
    tally, rng = Tally(), random.Random(seed)
    lives: list[tuple[bytes, Gateway]] = []
    clock = ClockMap(b"none")
    for index in range(count):
        boot = index.to_bytes(16, "little")
        gateway = Gateway(ClockMap(boot), rng.choice(WRONG_MS))
        for _ in range(rng.randint(1, 4)):
            gateway.run(rng.randint(1, 120))
            gateway.off_ms, gateway.synced = 0, True
            gateway.run(rng.randint(1, 120))
            gateway.off_ms, gateway.synced = rng.choice(WRONG_MS), False
        if rng.random() < 0.5:
            gateway.run(rng.randint(1, 60))  # the boot ends with a wrong clock
        for mark in gateway.kept:
            clock.load(boot, mark)
        lives.append((boot, gateway))
    for boot, gateway in lives[-200:]:
        tally.cut_count += 1
        tally.wrong_count += any(gateway.errors_ms(clock, boot))
    return tally


def seasons() -> Tally:
    """Through both changes of a year in each zone, second by second: stamps rise by a second, whatever the zone does."""
    tally, before = Tally(), os.environ.get("TZ")
    try:
        for zone in ZONES:
            os.environ["TZ"] = zone
            time.tzset()
            for month in (3, 4, 10, 11):
                start_ms = int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) * 1_000
                clock = ClockMap(b"b")
                walls = [start_ms + 60_000 * minute for minute in range(31 * 1_440)]
                marks = [clock.note(60_000 * minute, wall, True) for minute, wall in enumerate(walls)]
                stamps = [clock.stamp(b"b", 60_000 * minute, wall).wall_ms for minute, wall in enumerate(walls)]
                tally.cut_count += 1
                tally.wrong_count += stamps != walls or sum(mark is not None for mark in marks) != 1
    finally:
        os.environ.pop("TZ", None)
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()
    return tally
