"""What a site file may say of a TCP port, and what its bus plan is made of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.app import bus_devices
from edge.config.options import Port
from edge.config.reader import load_config, parse_config, read_toml
from edge.errors import ConfigFault
from edge.field.budget import budget, check_budget
from edge.field.line.timing import char_s, gap_us, hole_max_count, silence_us
from edge.field.profiles.loader import load_profile

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "deploy" / "site.tcp.example.toml"


def spoiled(change: Callable[[dict[str, Any]], object]) -> str:
    tables = read_toml(EXAMPLE)
    change(tables)
    with pytest.raises(ConfigFault) as caught:
        parse_config(tables, str(EXAMPLE))
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t["port"][0].pop("host"), "port[0].host: is missing: kind = 'tcp' needs it"),
        (lambda t: t["port"][3].pop("path"), "port[3].path: is missing: kind = 'serial' needs it"),
        (lambda t: t["port"][0].update(path="/dev/x"), "port[0].path = '/dev/x': is not for kind = 'tcp'"),
        (lambda t: t["port"][3].update(host="192.0.2.9"), "port[3].host = '192.0.2.9': is not for kind = 'serial'"),
        (lambda t: t["port"][1].update(host="192.0.2.10"), "port[1].host = '192.0.2.10:502': is the host of port[0] too"),
        (lambda t: t["port"][0].update(kind="udp"), "must be one of serial, tcp"),
        (lambda t: t["port"][0].update(tcp_port=70_000), "must be 1..65535"),
        (lambda t: t["device"][3].update(address=255), "must be 1..247 on a serial port"),
    ],
)  # fmt: skip
def test_each_mistake_with_a_port_is_named(change: Callable[[dict[str, Any]], object], text: str) -> None:
    assert text in spoiled(change)


def test_unit_255_is_for_tcp_and_two_servers_of_one_host_are_two_ports() -> None:
    tables = read_toml(EXAMPLE)
    tables["device"][2]["address"] = 255
    tables["port"][1] |= {"host": "192.0.2.10", "tcp_port": 1502}
    assert parse_config(tables, str(EXAMPLE)).device[2].address == 255


def test_over_tcp_bytes_take_no_time_and_requests_do() -> None:
    port, link = Port(name="lan", kind="tcp", host="192.0.2.1"), load_profile("abb-b23").link
    assert (char_s(port), silence_us(port), gap_us(port, [link])) == (0.0, 0, 0)
    assert gap_us(replace(port, gap_ms=7), [link]) == 7_000
    assert hole_max_count(port, link) == link.max_regs
    config = load_config(EXAMPLE)
    rows = {row.what: row for row in budget(config, bus_devices(config)) if row.device == "poc"}
    assert {row.wire_us for row in rows.values()} == {7_000}, "5 ms of the meter, 2 ms of the network"


def test_a_port_that_cannot_keep_up_is_refused_without_talk_of_baud() -> None:
    config = load_config(EXAMPLE)
    slow = replace(config, port=tuple(replace(p, gap_ms=500) if p.name == "pcs" else p for p in config.port))
    texts = [str(problem) for problem in check_budget(slow, bus_devices(config))]
    assert any("port[1].host = '192.0.2.11'" in text for text in texts)
    assert all("baud would do" not in text for text in texts)


def test_a_walked_profile_lies_beside_the_site_file_and_must_not_hide_one_that_ships(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    with pytest.raises(ConfigFault, match=r"a site's own profile is .*profiles/mine\.toml"):
        load_profile("mine", str(site))
    folder = tmp_path / "profiles"
    folder.mkdir()
    text = (EXAMPLE.parent / "profiles" / "sunspec-example-pcs.toml").read_text()
    (folder / "mine.toml").write_text(text)
    assert load_profile("mine", str(site)).model == "PCS 30"
    (folder / "abb-b23.toml").write_text(text)
    with pytest.raises(ConfigFault, match="ships with the program"):
        load_profile("abb-b23", str(site))
