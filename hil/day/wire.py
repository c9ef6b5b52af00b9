"""A day at wire level: the real controller, every frame with its CRC on both sides, on the virtual clock.

The site is the one of the image level (1 Hz), and so is the story; what differs is that a value is as old as its poll, and
that a setpoint has to be sent, echoed and read back. Disk and network are not played.
"""

import asyncio

from edge.config.options import Config
from edge.mission.second import Mission
from edge.model import Outcome
from edge.plan.signals.base import IntensitySignal
from hil.assembly import unit_specs
from hil.day.image import MODES, day_config, is_over
from hil.day.story import Story
from hil.day.wired import WiredSite, play
from hil.invariants.watch import Watch
from hil.plant.site import Site, SiteSpec

DAY_STEP_S = 1.0  # of the plant, as at image level
WIRE_OVER_MAX_S = 5  # the image level's 3 s; the poll may be a second old, and the setpoint waits for its turn


class WireDay:
    """Controller, buses, frames, slaves and plant. `site` and `mission` are there once it has run."""

    site: Site
    mission: Mission

    def __init__(self, config: Config, spec: SiteSpec, seed: int, signal: IntensitySignal | None = None) -> None:
        self.config = config
        self.story = Story()
        self.watch: Watch | None = None
        self._spec, self._seed, self._signal = spec, seed, signal

    def run(self, seconds: int) -> Story:
        """Plays `seconds` of the site, from a start with open contactors."""

        async def script(wired: WiredSite) -> None:
            mission = wired.uplink.mission
            assert mission is not None and self.config.site.cycle_ms == 1_000, "a cycle is a second here"
            self.site, self.mission = wired.site, mission
            if self._signal is not None:
                mission.signal = self._signal
            wired.controller.on_cycle = lambda: self._note(wired)
            await asyncio.sleep(seconds + 0.5)
            wired.controller.on_cycle = lambda: None  # the end in order is no part of the day
            self._note_wire(wired)

        play(self.config, self._spec, self._seed, script, plant_step_s=DAY_STEP_S)
        return self.story

    def _note(self, wired: WiredSite) -> None:
        """After each cycle."""
        wired.move()
        if self.watch is not None:
            self.watch.note_step(wired.controller.kernel)
        story, over = self.story, is_over(self.config.limits, wired.site.poc_power_w)
        story.note(wired.site, over, MODES[wired.controller.kernel.output.mode])
        if story.seconds % 60 == 0:
            story.note_ask(self.mission.status.rule)

    def _note_wire(self, wired: WiredSite) -> None:
        for bus in wired.controller.buses:
            devices, port = bus.health(), bus.port_health()
            sent_count, ok_count = sum(d.sent_count for d in devices), sum(d.ok_count for d in devices)
            failed = {
                outcome.name.lower(): count
                for outcome in Outcome
                if outcome is not Outcome.OK and (count := sum(d.outcome_counts[outcome] for d in devices))
            }
            refused = ", ".join(f"{count} {name}" for name, count in failed.items()) or "none failed"
            text = f"{sent_count} requests, {ok_count} right answers, {refused}, {port.load_permille / 10:.0f} % busy"
            self.story.extra.append((f"port {port.port}", text))


def default_wire_day(seed: int = 1, signal: IntensitySignal | None = None) -> WireDay:
    """The example site for a day, as `image.default_day` has it."""
    config = day_config()
    return WireDay(config, SiteSpec(units=unit_specs(config)), seed, signal)
