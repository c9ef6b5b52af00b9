"""Bands of the site, and from wish to setpoint (sections 6, 7, 9)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.kernel.oracle import words as w
from tests.kernel.oracle.words import LIMIT, clamp, old, site, tdiv

FADING, POC_STALE = site("POC_FADE"), site("POC_STALE")
IMPORT, FUSE, EXPORT, RAMP = site("IMPORT_LIMIT"), site("FUSE_LIMIT"), site("EXPORT_LIMIT"), site("RAMP")
CHARGE_BOUND, DISCHARGE_BOUND = site("CHARGE_BOUND"), site("DISCHARGE_BOUND")
PV_CURTAILED = site("PV_CURTAILED")


class Band(NamedTuple):
    """What the site and its units allow, with the reports of how it came to be."""

    net_load_w: int
    site_low_w: int
    site_high_w: int
    units_low_w: int
    units_high_w: int
    low_after_w: list[int]
    high_after_w: list[int]

    def home(self, power: int) -> int:
        return clamp(clamp(power, self.site_low_w, self.site_high_w), self.units_low_w, self.units_high_w)


def int32(x: int) -> int:
    return clamp(x, w.INT32_MIN, w.INT32_MAX)


def find_band(c: Any, i: Any, facts: Sequence[Any], charge_w: Sequence[int], discharge_w: Sequence[int]) -> Band:
    net = clamp(i.poc_power_w, -LIMIT, LIMIT) + sum(
        clamp(f.i.power_at_poc_w, -LIMIT, LIMIT) for f in facts if f.pcs_fresh
    )
    low, high = -sum(charge_w), sum(discharge_w)
    export_w = net + c.export_max_w
    after_export = min(high, export_w)
    after_import = max(low, net - c.import_max_w)
    after_fuse = max(after_import, net - c.fuse_max_w)
    return Band(
        net,
        net - min(c.import_max_w, c.fuse_max_w),
        export_w,
        low,
        high,
        [int32(x) for x in (low, low, after_import, after_fuse)],
        [int32(x) for x in (high, after_export, after_export, after_export)],
    )


def fade(c: Any, before: int, dt: int) -> int:
    rating = sum(max(u.power_charge_max_w, u.power_discharge_max_w) for u in c.unit[: c.unit_count])
    most = tdiv(tdiv(rating, 4) * dt, 1000)
    return max(before - most, 0) if before > 0 else min(before + most, 0)


def shape(c: Any, band: Band, wish_w: int, before: int, fading: bool, dt: int) -> tuple[list[int], int]:
    """FADE, RAMP, SITE_BAND, UNIT_BAND and the causes that they set."""
    faded = fade(c, before, dt) if fading else wish_w
    step, at = tdiv(c.setpoint_ramp_w_per_s * dt, 1000), band.home(before)
    ramped = faded if fading else clamp(faded, at - step, at + step)
    why = RAMP if ramped != faded else 0
    inside = clamp(ramped, band.site_low_w, band.site_high_w)
    if inside > ramped:
        why |= FUSE if c.fuse_max_w < c.import_max_w else IMPORT
    elif inside < ramped:
        why |= EXPORT
    battery = clamp(inside, band.units_low_w, band.units_high_w)
    if battery != inside:
        why |= CHARGE_BOUND if battery > inside else DISCHARGE_BOUND
    return [faded, ramped, inside, battery], why


def pv_limit(c: Any, i: Any, state: Any, battery: int, net_load: int, dt: int) -> tuple[int, int]:
    """The new PV limit, and PV_CURTAILED while it is below the rating."""
    rated = c.pv_rated_w
    if rated == 0:
        return 0, 0
    limit = clamp(state.pv_limit_w, 0, rated)
    excess = battery - net_load - c.export_max_w
    lost = state.active & POC_STALE != 0
    if lost:
        limit = min(c.pv_lost_max_w, rated)
    elif excess > 0:
        base = limit if old(i.pv_age_ms, c.poc_age_max_ms) else i.pv_power_w
        limit = clamp(min(limit, base) - excess, 0, rated)
    else:
        limit = min(rated, limit + max(1, tdiv(rated * dt, 60_000)))
    return limit, PV_CURTAILED if limit < rated or lost else 0
