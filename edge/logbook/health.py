"""Pictures of the devices and of the uplink in, events out: refused writes, wrong devices, lost ports, store and cloud."""

from dataclasses import replace

from edge.model import DeviceHealth, Event, EventLevel, Outcome, PortHealth, SiteHealth, UplinkStatus

_Found = list[tuple[str, str, EventLevel]]


class HealthWatch:
    """Compares each second with the one before."""

    def __init__(self) -> None:
        self._devices: dict[str, DeviceHealth] = {}
        self._ports: dict[str, PortHealth] = {}
        self._refused_count = 0

    def note(self, health: SiteHealth) -> list[Event]:
        found: _Found = []
        for device in health.devices:
            found += self._device(device)
        for port in health.ports:
            found += self._port(port)
        refused_count = health.refused_count - self._refused_count
        if refused_count > 0:
            text = f"{refused_count} asked for what they may not; the last: {health.refused_last}"
            found.append(("request_refused", text, "warning"))
        self._refused_count = health.refused_count
        return [Event(health.mono_ms, health.wall_ms, *one) for one in found]

    def _device(self, device: DeviceHealth) -> _Found:
        found: _Found = []
        before = self._devices.get(device.device)
        self._devices[device.device] = device
        gated = device.outcome_counts[Outcome.GATE] - (before.outcome_counts[Outcome.GATE] if before else 0)
        if gated > 0:
            text = f"{gated} writes not sent: no rule of the profile lists them, or the value is outside the band"
            found.append((f"write_refused.{device.device}", text, "alarm"))
        if device.write_failed != bool(before and before.write_failed):
            text = "a write was not read back three times" if device.write_failed else "writes are read back again"
            found.append((f"write_failed.{device.device}", text, "alarm" if device.write_failed else "info"))
        if device.identity_fault != (before.identity_fault if before else ""):
            text = device.identity_fault or "it is the device of its profile again"
            found.append((f"identity.{device.device}", text, "alarm" if device.identity_fault else "info"))
        return found

    def _port(self, port: PortHealth) -> _Found:
        before = self._ports.get(port.port)
        self._ports[port.port] = port
        if port.is_open == (before.is_open if before else True):
            return []
        text = "open again" if port.is_open else f"closed: {port.error or 'cannot be opened'}"
        return [(f"port.{port.port}", text, "info" if port.is_open else "alarm")]


class StatusWatch:
    """The same for what the uplink says of itself."""

    def __init__(self) -> None:
        self._before = UplinkStatus()

    def note(self, mono_ms: int, wall_ms: int, status: UplinkStatus, journal_fault: str) -> list[Event]:
        before, found = self._before, list[tuple[str, str, EventLevel]]()
        store_fault = status.store_fault or journal_fault
        self._before = replace(status, store_fault=store_fault)
        if store_fault != before.store_fault:
            text = store_fault or "the store is well again"
            found.append(("store.fault" if store_fault else "store.well", text, "alarm" if store_fault else "info"))
        if status.connected != before.connected:
            text = "connected" if status.connected else f"away: {status.cloud_fault or 'the connection ended'}"
            found.append(("cloud", text, "info" if status.connected else "warning"))
        if status.grid_fault != before.grid_fault:
            text = status.grid_fault or "the grid signal is well again"
            found.append(
                (
                    "signal.fault" if status.grid_fault else "signal.well",
                    text,
                    "warning" if status.grid_fault else "info",
                )
            )
        lost_count = status.dropped_count - before.dropped_count
        if lost_count > 0:
            found.append(("records_dropped", f"{lost_count} records found no room on the way to the store", "warning"))
        return [Event(mono_ms, wall_ms, *one) for one in found]
