"""What a demo came to, measured on the plant, in the ingest and in the trace, not by the controller's word alone."""

from typing import TYPE_CHECKING

from hil.demo.timing import Timing

if TYPE_CHECKING:
    from hil.demo.run import Demo


def summarise(demo: "Demo", timing: Timing, ingested: tuple[int, int], code: int) -> list[str]:
    """The lines of the summary."""
    balance, tally, last = demo.site.balance(), demo.tally, demo.tally.last
    uplink = last.get("uplink", {})
    rows, distinct = ingested
    pairs = [
        ("ran for", f"{demo.elapsed_s():.0f} s"),
        ("first RUN cycle", timing.start_text()),
        ("grid", f"{balance.grid_import_wh / 1e3:.3f} kWh in, {balance.grid_export_wh / 1e3:.3f} kWh out"),
        ("load", f"{balance.it_wh / 1e3:.3f} kWh IT, {balance.overhead_wh / 1e3:.3f} kWh overhead"),
        ("sun", f"{balance.pv_wh / 1e3:.3f} kWh"),
        ("battery", f"{balance.charge_wh / 1e3:.3f} kWh in, {balance.discharge_wh / 1e3:.3f} kWh out, "
                    f"{(balance.pcs_loss_wh + balance.pack_loss_wh) / 1e3:.3f} kWh lost"),
        ("energy balance", f"{balance.bus_residual_wh:+.6f} Wh left over at the bus, "
                           f"{balance.battery_residual_wh:+.6f} Wh in the battery"),
        ("limit violations", f"{tally.over_count} of {tally.looks} looks, longest {tally.over_longest * 0.5:.1f} s"),
        ("cycle lateness", timing.late_text()),
        ("samples stored", f"{uplink.get('stored_count', 0)} on the gateway at the last look"),
        ("samples acknowledged", f"{uplink.get('acked_count', 0)} at the last look; the ingest holds {rows}, "
                                 f"{rows - distinct} of them double"),
        ("controller", f"{tally.rss_kb / 1024:.1f} MB resident, exit code {code}"),
        ("PCS at the end", "0 kW" if demo.pcs_is_at_zero() else f"NOT at 0: {demo.site.battery_power_w:.0f} W"),
    ]  # fmt: skip
    return ["", "Summary", *(f"  {name:<22}{text}" for name, text in pairs)]
