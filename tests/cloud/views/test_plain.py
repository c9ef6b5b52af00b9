"""The JSON and ThingsBoard views, the names and units of all views, and how a site file asks for them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.dial import Backoff
from edge.cloud.link import Link, LinkSettings
from edge.cloud.topics import Topics
from edge.cloud.views.choice import views_of
from edge.cloud.views.columns import columns_of, named, texts_of
from edge.cloud.views.plain import JsonView
from edge.cloud.views.thingsboard import HELD_MAX_COUNT, ThingsBoardView
from edge.config.options import Config
from edge.config.reader import parse_config, read_toml
from edge.config.views import Sparkplug, ThingsBoard, Views
from edge.errors import ConfigFault
from edge.model import SAMPLE_FIELDS, Sample
from hil.day.image import EXAMPLE
from hil.demo.site import example_config
from tests.cloud.broker import WHY_NONE, Broker, wait_until
from tests.cloud.test_access import edge, site
from tests.cloud.test_link import Bench
from tests.cloud.views.kit import WALL_MS, sample

needs_broker = pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)
TOPICS = Topics("demo", "gw-0001")


def test_names_keep_their_unit_last_and_values_are_scaled() -> None:
    shown = {
        column.name: (column.unit, column.shown(sample(0, late_max_us=1_500, cell_temp_max_dc=-35)))
        for column in columns_of()
    }
    assert shown["soc_pct"] == ("%", 55.12) and shown["cell_voltage_min_v"] == ("V", 3.301)
    assert shown["poc_power_w"] == ("W", 40_000) and shown["late_max_s"] == ("s", 0.0015)
    assert shown["cell_temp_max_c"] == ("degC", -3.5) and shown["grid_intensity_g_per_kwh"] == ("g/kWh", 312.5)
    assert len(shown) == len(SAMPLE_FIELDS)


def test_a_column_of_an_unknown_unit_or_an_odd_name_is_shown_as_it_is() -> None:
    odd = columns_of([("share_permille", "permille"), ("power_x", "furlong"), ("temp", "dC")])
    one = Sample(0, 0, (125, 7, 8))
    assert [(column.name, column.unit, column.shown(one)) for column in odd] == [
        ("share_pct", "%", 12.5), ("power_x", "furlong", 7), ("temp", "dC", 8),
    ]  # fmt: skip


def test_mode_and_reasons_are_in_words() -> None:
    assert texts_of(sample(0, mode=5, why=0b101)) == ("RUN", "boot, hold")
    assert texts_of(sample(0, mode=99, why=None)) == (None, None)


@given(st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=len(SAMPLE_FIELDS), max_size=len(SAMPLE_FIELDS)))
def test_what_is_not_known_is_left_out_and_the_rest_is_json(values: list[int | None]) -> None:
    one = Sample(0, 0, tuple(values))
    found = dict(named(columns_of(), one))
    assert json.loads(json.dumps(found)) == found
    assert all((column.name in found) == (values[column.index] is not None) for column in columns_of())


class Ear:
    """A subscriber on a link of its own."""

    def __init__(self, port: int, pattern: str) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.bench = Bench(port)
        self.bench.link.subscribe(pattern, lambda topic, payload: self.heard.append((topic, json.loads(payload))))
        self.bench.connect()


@pytest.mark.hil
@needs_broker
def test_the_json_view_sends_each_nth_second_without_any_window(broker: Broker) -> None:
    ear, gateway = Ear(broker.port, "tw1/#"), Bench(broker.port)
    gateway.connect()
    view = JsonView(gateway.link, TOPICS, 5)
    room = gateway.link.room
    for second in range(12):
        view.note(sample(second, wish_w=second))
        view.step(1_000 * second + 3)
    assert gateway.link.room == room, "nothing of the durable stream waits for it"
    assert wait_until(lambda: len(ear.heard) == 3, 5, lambda: (gateway.step(), ear.bench.step())[0])
    assert [one["wish_w"] for _, one in ear.heard] == [0, 5, 10]
    topic, one = ear.heard[0]
    assert topic == TOPICS.json("site") and topic.endswith("/demo/gw-0001/js/site")
    assert one["wall_ms"] == WALL_MS and one["soc_pct"] == 55.12 and one["mode_text"] == "RUN"
    view.close()
    gateway.link.close()


def test_the_json_view_without_a_connection_drops() -> None:
    view = JsonView(Link(LinkSettings("127.0.0.1", 1)), TOPICS, 1)
    for second in range(3):
        view.note(sample(second))
        view.step(1_000 * second)
    assert view._newest is None


@pytest.fixture
def thingsboard(broker: Broker) -> Iterator[ThingsBoardView]:
    spec = ThingsBoard(host="127.0.0.1", port=broker.port, username="token", every_s=2)
    view = ThingsBoardView(example_config().site, spec, Backoff(20, 50, 10**6))
    yield view
    view.link.close()


@pytest.mark.hil
@needs_broker
def test_thingsboard_is_told_the_device_then_every_second_and_what_was_missed(
    broker: Broker, thingsboard: ThingsBoardView
) -> None:
    ear, leap_ms = Ear(broker.port, "v1/gateway/#"), 0
    for second in range(100):  # before there is a connection
        thingsboard.note(sample(second, wish_w=second))

    def step() -> None:
        nonlocal leap_ms
        leap_ms += 20
        thingsboard.step(leap_ms)
        ear.bench.step()

    assert wait_until(lambda: len(ear.heard) == 3, 8, step)
    thingsboard.note(sample(100, wish_w=100))
    assert wait_until(lambda: len(ear.heard) == 4, 8, step)
    thingsboard.note(sample(101, wish_w=101))
    thingsboard.close()
    assert wait_until(lambda: len(ear.heard) == 6, 8, ear.bench.step)
    topics = [topic.removeprefix("v1/gateway/") for topic, _ in ear.heard]
    assert topics == ["connect", *["telemetry"] * 4, "disconnect"] and ear.heard[0][1] == {"device": "gw-0001"}
    rows = [row for topic, said in ear.heard if topic.endswith("telemetry") for row in said["gw-0001"]]
    assert [row["values"]["wish_w"] for row in rows] == list(range(102))
    assert [row["ts"] for row in rows] == [WALL_MS + 1_000 * second for second in range(102)]


def test_thingsboard_away_for_long_keeps_ten_minutes() -> None:
    view = ThingsBoardView(example_config().site, ThingsBoard(host="127.0.0.1", port=1))
    for second in range(2_000):
        view.note(sample(second))
    assert len(view._held) == HELD_MAX_COUNT
    view.close()


def chosen(config: Config, link: Link | None) -> list[str]:
    return [type(view).__name__ for view in views_of(config, TOPICS, link, print, print)]


def test_all_views_are_off_until_the_site_file_asks_for_them() -> None:
    config, link = example_config(), Link(LinkSettings("127.0.0.1"))
    assert chosen(config, link) == []
    every = Views(sparkplug=Sparkplug(host="a"), thingsboard=ThingsBoard(host="b"), json_every_s=1)
    assert chosen(replace(config, views=every), link) == ["SparkplugView", "ThingsBoardView", "JsonView"]
    assert chosen(replace(config, views=every), None) == ["SparkplugView", "ThingsBoardView"]


def parsed(**views: Any) -> Config:
    tables = read_toml(EXAMPLE)
    tables["views"] = views
    return parse_config(tables, "site.toml")


def test_the_options_of_the_example_are_read() -> None:
    """What the example shows as a comment is what the reader takes."""
    lines = Path(EXAMPLE).read_text().split("# Views:")[1].splitlines()[1:]
    shown = [line.removeprefix("# ") for line in lines[: lines.index("")]]
    tables = "\n".join([*Path(EXAMPLE).read_text().splitlines(), *shown])
    file = EXAMPLE.name
    assert shown[0] == "[views]"
    config = parse_config(tomli.loads(tables), file)
    assert config.views.sparkplug.host and config.views.thingsboard.host and config.views.json_every_s
    assert not config.views.sparkplug.setpoints


@pytest.mark.parametrize(
    ("views", "text"),
    [
        ({"sparkplug": {"group": "a/b"}}, "views.sparkplug.group"),
        ({"sparkplug": {"primary_host": "a#"}}, "views.sparkplug.primary_host"),
        ({"sparkplug": {"history_s": 3_601}}, "must be 0..3600"),
        ({"sparkplug": {"setpoints": True}}, "needs views.sparkplug.host"),
        ({"sparkplug": {"ca_file": "x"}}, "needs views.sparkplug.tls = true"),
        ({"thingsboard": {"password_file": "x"}}, "needs views.thingsboard.username"),
        ({"thingsboard": {"key_file": "x", "tls": True}}, "needs views.thingsboard.cert_file"),
        ({"homeassistant": {}}, "unknown key"),
    ],
)
def test_a_wrong_option_of_a_view_is_named(views: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigFault) as fault:
        parsed(**views)
    assert any(text in str(problem) for problem in fault.value.problems)


def test_json_without_a_cloud_is_refused() -> None:
    tables = read_toml(EXAMPLE)
    del tables["cloud"]
    tables["signal"] = {"kind": "none"}
    tables["views"] = {"json_every_s": 1}
    with pytest.raises(ConfigFault, match=r"needs cloud\.host"):
        parse_config(tables, "site.toml")


def test_edge_check_looks_at_the_files_of_the_views(tmp_path: Path) -> None:
    file = site(tmp_path)
    file.write_text(
        file.read_text() + '[views.sparkplug]\nhost = "a"\nusername = "u"\npassword_file = "/no/password"\n'
    )
    done = edge("check", "-c", str(file))
    assert done.returncode == 2 and "views.sparkplug.password_file: /no/password: No such file" in done.stderr
