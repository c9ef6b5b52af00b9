"""The one-screen story of a day: noted second by second, then an hour a row and what it came to. No plant, no control."""

import re
from dataclasses import dataclass, field
from typing import Protocol

from edge.config.options import Config
from edge.mission.second import Mission
from hil.invariants.watch import Watch
from hil.plant.site import Site

BAR_WIDTH = 24


@dataclass(slots=True)
class Story:
    """What a run was: filled second by second, printed at the end."""

    seconds: int = 0
    hours: list[tuple[float, float, float, float, float]] = field(default_factory=list)  # grid load pv battery W, SOC
    mode_seconds: dict[str, int] = field(default_factory=dict)
    over_count: int = 0  # seconds past a limit
    over_run_s: int = 0  # of the present excursion
    over_longest_s: int = 0
    grid_max_w: float = 0.0
    asks: dict[str, int] = field(default_factory=dict)
    extra: list[tuple[str, str]] = field(default_factory=list)  # rows of one level only
    _sums: list[float] = field(default_factory=lambda: [0.0] * 4)

    def note(self, site: Site, over: bool, mode: str, dt_s: int = 1) -> None:
        """One step of the site as it is now, past its limits or not."""
        sums, grid_w = self._sums, site.poc_power_w
        self.seconds += dt_s
        self.mode_seconds[mode] = self.mode_seconds.get(mode, 0) + 1
        self.over_count += over
        self.over_run_s = self.over_run_s + 1 if over else 0
        self.over_longest_s = max(self.over_longest_s, self.over_run_s)
        self.grid_max_w = max(self.grid_max_w, grid_w)
        sums[0] += grid_w
        sums[1] += site.load_power_w
        sums[2] += site.pv_power_w
        sums[3] += site.battery_power_w
        if self.seconds % 3_600 == 0:
            steps = 3_600 / dt_s
            soc = site.units[0].pack.soc
            self.hours.append((sums[0] / steps, sums[1] / steps, sums[2] / steps, sums[3] / steps, soc))
            self._sums = [0.0] * 4

    def note_ask(self, rule: str) -> None:
        """What the rule asks for, once a minute."""
        word = re.split("[: ]", rule, maxsplit=1)[0]
        self.asks[word] = self.asks.get(word, 0) + 1


class Day(Protocol):
    """What is told: a day of either level."""

    config: Config
    site: Site
    mission: Mission
    story: Story
    watch: Watch | None


def tell(day: Day, cpu_s: float) -> list[str]:
    """The lines of the screen."""
    story, limits = day.story, day.config.limits
    top_w = max([limits.import_max_w, *(row[0] for row in story.hours)]) or 1
    lines = [f"A day of {day.config.site.id}: hourly means, seed {day.site.seed}", ""]
    lines.append(
        f"{'hour':>4} {'grid kW':>8} {'load kW':>8} {'PV kW':>7} {'battery kW':>11} {'SOC %':>6} {'g/kWh':>6}  grid"
    )
    for hour, (grid_w, load_w, pv_w, battery_w, soc) in enumerate(story.hours):
        grams = day.mission.signal.poll(3_600_000 * hour + 1_800_000, 0).value_mg_per_kwh
        bar = "#" * max(0, round(BAR_WIDTH * grid_w / top_w))
        lines.append(
            f"{hour:>4} {grid_w / 1e3:>8.1f} {load_w / 1e3:>8.1f} {pv_w / 1e3:>7.1f} {battery_w / 1e3:>+11.1f} "
            f"{100 * soc:>6.1f} {(grams or 0) / 1e3:>6.0f}  {bar}"
        )
    return [*lines, "", *_sums(day), f"{'played in':<22}{cpu_s:.2f} s of CPU for {story.seconds} s of the site"]


def _sums(day: Day) -> list[str]:
    story, limits, balance = day.story, day.config.limits, day.site.balance()
    total = day.mission.account.totals()
    modes = ", ".join(f"{name} {count} s" for name, count in sorted(story.mode_seconds.items(), key=lambda m: -m[1]))
    asks = ", ".join(f"{word} {count} min" for word, count in sorted(story.asks.items(), key=lambda a: -a[1]))
    whole = total.opening_ug + total.grid_ug == total.load_ug + total.export_ug + total.loss_ug + total.stored_ug
    energy_kwh = total.load_mj / 3.6e9
    rows = [
        ("modes", modes),
        ("the rule asked", asks),
        ("grid", f"{balance.grid_import_wh / 1e3:.1f} kWh in, {balance.grid_export_wh / 1e3:.1f} kWh out, "
                 f"highest {story.grid_max_w / 1e3:.1f} kW of {limits.import_max_w / 1e3:.1f} kW"),
        ("over the limits", f"{story.over_count} s in all, the longest {story.over_longest_s} s"),
        ("battery", f"{balance.charge_wh / 1e3:.1f} kWh in, {balance.discharge_wh / 1e3:.1f} kWh out, "
                    f"lost {(balance.pcs_loss_wh + balance.pack_loss_wh) / 1e3:.1f} kWh"),
        ("energy left over", f"{balance.bus_residual_wh:+.6f} Wh at the bus, {balance.battery_residual_wh:+.6f} Wh in the "
                             "battery"),
        ("carbon of the load", f"{total.load_ug / 1e9:.1f} kg, {total.load_ug / 1e6 / max(energy_kwh, 1e-9):.0f} g/kWh, "
                               f"balance {'exact' if whole else 'BROKEN'}"),
        *([("in every cycle", day.watch.told())] if day.watch is not None else []),
        *story.extra,
    ]  # fmt: skip
    return [f"{name:<22}{text}" for name, text in rows]
