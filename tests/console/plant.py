"""A plant with behaviour for the console tests: remembers what it was asked, shows hostile device names."""

import asyncio

from edge.console.view import Reason, StatusView, Told
from edge.model import DeviceHealth, Event, PortHealth, Request, UplinkStatus

REASONS = (
    Reason("bms_stale", "the BMS has not answered for 2 s", "check its cable: show bus", unit=0, since_ms=4_200),
    Reason("latched", "a trip is latched " * 8, "mend it, then: reset", latched=True, action="0 kW"),
)
DEVICE = DeviceHealth("pcs\x1b[2J", "rs1", 1, 100, 98, 0, (98, 2, 0, 0, 0, 0, 0), 12_345, 90, True, False)
SILENT = DeviceHealth("meter", "rs1", 2, 10, 0, 10, (0, 10, 0, 0, 0, 0, 0), 0, None, False, False)


class FakePlant:
    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.mode = "RUN"
        self.looked_count = 0
        self.bench_asked: list[tuple[str, tuple[str, ...]]] = []
        self.bench_cancelled_count = 0
        self.told: asyncio.Future[Told] | None = None  # set by a test: what the bench answers, when it does

    def status(self) -> StatusView:
        self.looked_count += 1
        return StatusView(
            site="gw-1",
            tenant="local",
            mode=self.mode,
            reasons=REASONS,
            first_out="BMS silent",
            standing="wish of rule",
            poc_power_w=12_340,
            load_power_w=20_000,
            battery_power_w=-5_000,
            soc_cpct=5_512,
            cell_voltage_min_mv=3_301,
            cell_temp_max_dc=253,
            uplink=UplinkStatus(rule="idle: 300 g/kWh is between low and high", grid_intensity_mg_per_kwh=300_000),
            ports=(PortHealth("rs1", 423, True, ""), PortHealth("rs2", 0, False, "no such device")),
            devices=(DEVICE, SILENT),
        )

    async def bench(self, word: str, args: tuple[str, ...]) -> Told:
        self.bench_asked.append((word, args))
        if self.told is None:
            return Told([f"{word} done"], {"word": word})
        try:
            return await self.told
        except asyncio.CancelledError:
            self.bench_cancelled_count += 1
            raise

    def offer(self, request: Request) -> None:
        self.asked.append(request)

    def events(self) -> tuple[Event, ...]:
        return (
            Event(1_000, 1_900_000_000_000, "mode", "STANDBY -> RUN"),
            Event(2_000, 1_900_000_001_000, "identity.pcs\x1b[2J", "it says \x07" + "it is a toaster " * 9, "alarm"),
            Event(3_000, 10**18, "poc_stale.clear", "over: the meter"),
        )
