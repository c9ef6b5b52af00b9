"""The views inside the uplink: a second of the site becomes Sparkplug, and a wish becomes a lease of the authority."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.config.options import Cloud, Store
from edge.config.views import Sparkplug, Views
from edge.control.authority import Authority
from edge.model import SiteFlows
from edge.uplink import Uplink
from tests.cloud.broker import Broker, wait_until
from tests.cloud.views.kit import NAMES, sample, site
from tests.cloud.views.test_session import WISH, Host, needs_broker

pytestmark = [pytest.mark.hil, needs_broker]


def flows(clock: SystemClock) -> SiteFlows:
    values = dict(zip(NAMES, sample().values, strict=True))
    names = SiteFlows.__slots__
    known = {name: values[name] for name in names if name in values}
    return SiteFlows(mono_ms=clock.mono_ms(), wall_ms=clock.wall_ms(), **known)  # type: ignore[arg-type]  # by name


def test_the_uplink_shows_each_second_and_takes_a_wish_to_the_authority(tmp_path: Path, broker: Broker) -> None:
    clock, authority = SystemClock(), Authority(auto_run=True)
    views = Views(sparkplug=Sparkplug(host="127.0.0.1", port=broker.port, group="acme", setpoints=True))
    config = replace(site(), views=views, cloud=Cloud(), store=Store(path=str(tmp_path)))
    config = replace(config, signal=replace(config.signal, kind="none"))
    host, uplink = Host(broker.port), Uplink(config, clock)
    uplink.offer = authority.offer

    def step() -> None:
        uplink.note_flows(flows(clock))
        uplink.step()
        host.step()

    def until(true: Callable[[], bool]) -> None:
        assert wait_until(true, 10, step), host.verbs()

    until(lambda: host.verbs().count("DBIRTH") == 4)
    assert host.mirror.values["poc", "power_w"] == 40_000
    host.command("DCMD/gw-0001/battery", clock.wall_ms(), name=WISH, long_value=2**64 - 5_000)
    until(lambda: authority.settle(clock.mono_ms()).source == "fleet")
    standing = authority.standing
    assert (standing.wish_w, standing.wish_kind) == (-5_000, 1) and 0 < standing.wish_left_ms <= 60_000
    until(lambda: "asked.power" in {event.name for event in uplink.events()})
    uplink.close()
    assert wait_until(lambda: "NDEATH" in host.verbs(), 5, host.step)
