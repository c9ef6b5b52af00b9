"""What a host may order over Sparkplug, and what it is told when it may not: a closed list, judged without a network."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.views.sparkplug.host import PrimaryHost
from edge.cloud.views.sparkplug.orders import COMMAND_MAX_BYTES, NAME_MAX, WALL_OFF_MAX_MS, Order, Rights, read_orders
from edge.cloud.views.sparkplug.tags import ANSWER, BATTERY, DEVICES, NODE, REBIRTH, WISH, Layout
from tests.cloud.views.kit import WALL_MS, proves
from tests.cloud.views.schema import METRIC, PAYLOAD

OWNER_SAYS_YES = Rights(True, -30_000, 20_000)
OWNER_SAYS_NOTHING = Rights(False, -30_000, 20_000)
OPEN, SHUT = (Layout(DEVICES, lambda _: None, setpoints=setpoints) for setpoints in (True, False))
WISH_ALIAS = next(tag.alias for tag in OPEN.tags[BATTERY] if tag.name == WISH)


def command(at: int | None = WALL_MS, **metric: Any) -> bytes:
    made = PAYLOAD(metrics=[METRIC(**metric)], **({} if at is None else {"timestamp": at}))
    raw: bytes = made.SerializeToString()
    return raw


def judge(
    raw: bytes, device: str = BATTERY, *, rights: Rights = OWNER_SAYS_YES, wall_ms: int | None = WALL_MS
) -> list[Order]:
    return list(read_orders(raw, device, OPEN if rights.setpoints else SHUT, rights, wall_ms))


@proves(
    "operational-behavior-data-commands-ncmd-rebirth-name operational-behavior-data-commands-ncmd-rebirth-value"
    " operational-behavior-data-commands-ncmd-verb operational-behavior-data-commands-ncmd-metric-value"
)
def test_a_rebirth_is_true_and_of_the_node() -> None:
    true, false = command(name=REBIRTH, boolean_value=True), command(name=REBIRTH, boolean_value=False)
    assert judge(true, NODE) == [Order(REBIRTH)] == judge(true, NODE, rights=OWNER_SAYS_NOTHING, wall_ms=None)
    assert judge(command(None, name=REBIRTH, boolean_value=True), NODE) == [Order(REBIRTH)], "whenever it was asked"
    assert judge(false, NODE)[0].refused and judge(true, BATTERY)[0].refused
    assert judge(command(name=REBIRTH, int_value=1), NODE)[0].refused


@proves("operational-behavior-data-commands-dcmd-verb operational-behavior-data-commands-dcmd-metric-value")
@pytest.mark.parametrize("key", [{"name": WISH}, {"alias": WISH_ALIAS}, {"name": WISH, "alias": WISH_ALIAS}])
@pytest.mark.parametrize(
    ("value", "power_w", "cut"),
    [
        ({"long_value": 2**64 - 5_000}, -5_000, ""),
        ({"datatype": 4, "long_value": 7_000}, 7_000, ""),
        ({"datatype": 3, "int_value": 2**32 - 5_000}, -5_000, ""),
        ({"datatype": 10, "double_value": 1_234.5}, 1_234, ""),
        ({"long_value": 90_000}, 20_000, "90000 W"),
        ({"long_value": 2**64 - 90_000}, -30_000, "-90000 W"),
    ],
)
def test_a_wish_is_read_by_name_or_alias_and_cut_to_the_ratings(
    key: dict[str, Any], value: dict[str, Any], power_w: int, cut: str
) -> None:
    assert judge(command(**key, **value)) == [Order(WISH, power_w, cut=cut)]


def test_without_the_owner_s_word_there_is_no_wish_and_no_such_metric() -> None:
    for key in ({"name": WISH}, {"alias": WISH_ALIAS}):
        (order,) = judge(command(**key, long_value=1), rights=OWNER_SAYS_NOTHING)
        assert order.refused.startswith("no such metric"), "not even its name is in the births"


@pytest.mark.parametrize(
    ("timestamp", "wall_ms"),
    [
        (None, WALL_MS),
        (WALL_MS, None),
        (WALL_MS - WALL_OFF_MAX_MS - 1, WALL_MS),
        (WALL_MS + WALL_OFF_MAX_MS + 1, WALL_MS),
    ],
)
def test_a_wish_without_a_time_that_fits_is_refused(timestamp: int | None, wall_ms: int | None) -> None:
    (order,) = judge(command(timestamp, name=WISH, long_value=1), wall_ms=wall_ms)
    assert "within 60 s" in order.refused
    assert not judge(command(WALL_MS - WALL_OFF_MAX_MS, name=WISH, long_value=1))[0].refused
    assert not judge(command(None, name=WISH, long_value=1, timestamp=WALL_MS))[0].refused, "the metric's own time"


@pytest.mark.parametrize("value", [{"boolean_value": True}, {"string_value": "5000"}, {"is_null": True}, {},
                                   {"int_value": 2**32 - 1}, {"double_value": float("nan")}])  # fmt: skip
def test_a_wish_of_no_number_is_refused(value: dict[str, Any]) -> None:
    assert "INT64" in judge(command(name=WISH, **value))[0].refused


@pytest.mark.parametrize(
    ("device", "name"),
    [(NODE, "mode"), (NODE, ANSWER), (NODE, "bdSeq"), (BATTERY, "soc_pct"), (BATTERY, "set_w"), ("poc", "power_w"),
     (NODE, WISH), ("pv", WISH), (NODE, "Node Control/Reboot"), (NODE, "Node Control/Next Server"),
     (NODE, "interlock/disable"), (NODE, "")],
)  # fmt: skip
@pytest.mark.parametrize("rights", [OWNER_SAYS_YES, OWNER_SAYS_NOTHING])
def test_nothing_else_can_be_written_by_name(device: str, name: str, rights: Rights) -> None:
    (order,) = judge(command(name=name, long_value=1, datatype=4), device, rights=rights)
    assert order.refused, order


def test_a_name_of_a_host_is_shown_short_and_without_control_characters() -> None:
    (order,) = judge(command(name="\x1b[2J\n" + "x" * 500, long_value=1), NODE)
    assert order.name == "[2J" + "x" * (NAME_MAX - 3)


@given(st.integers(0, 2**64 - 1), st.sampled_from([NODE, *DEVICES]))
def test_no_alias_but_that_of_the_wish_can_be_written(alias: int, device: str) -> None:
    (order,) = judge(command(alias=alias, boolean_value=True, timestamp=WALL_MS), device)
    assert order.refused, "not even the wish, for true is no power; and Rebirth has no alias"
    if not any(tag.alias == alias for tag in OPEN.tags[device]):
        assert order.refused.startswith("no such metric"), "an alias of an older birth"


@given(st.binary(max_size=60), st.sampled_from([NODE, *DEVICES]))
def test_any_bytes_are_orders_that_are_refused_or_within_the_ratings(raw: bytes, device: str) -> None:
    for order in judge(raw, device):
        assert order.refused or order.name == REBIRTH or -30_000 <= order.power_w <= 20_000


def test_a_command_that_is_none_or_too_long_is_said() -> None:
    assert judge(b"\x0b")[0].refused.startswith("not a Sparkplug command: field 1 has type 3")
    assert f"longer than {COMMAND_MAX_BYTES}" in judge(b"\0" * (COMMAND_MAX_BYTES + 1))[0].refused
    assert judge(b"") == []


@proves(
    "message-flow-edge-node-birth-publish-phid-wait-online message-flow-edge-node-birth-publish-phid-wait-timestamp"
    " operational-behavior-edge-node-termination-host-offline-timestamp"
)
@pytest.mark.parametrize(
    ("said", "online", "ignored_count"),
    [
        ([], False, 0),
        ([b'{"online":true,"timestamp":5}'], True, 0),
        ([b'{"online":true,"timestamp":5}', b'{"online":false,"timestamp":5}'], False, 0),
        ([b'{"online":true,"timestamp":5}', b'{"online":false,"timestamp":4}'], True, 1),
        ([b'{"online":false,"timestamp":9}', b'{"online":true,"timestamp":8}'], False, 1),
        ([b'{"online":false,"timestamp":9}', b'{"online":true,"timestamp":9}'], True, 0),
        ([b"ONLINE"], False, 1),
        ([b'{"online":1,"timestamp":5}'], False, 1),
        ([b'{"online":true,"timestamp":true}'], False, 1),
        ([b'{"online":true}', b"[]", b"\xff", b"[" * 900, b" " * 2_000], False, 5),
    ],
)
def test_the_primary_host_is_online_when_its_newest_word_says_so(
    said: list[bytes], online: bool, ignored_count: int
) -> None:
    host = PrimaryHost("scada")
    for payload in said:
        host.note(payload)
    assert (host.online, host.ignored_count, host.topic) == (online, ignored_count, "spBv1.0/STATE/scada")
    host.forget()
    assert not host.online, "a new session hears it anew"


def test_without_a_primary_host_nobody_is_waited_for() -> None:
    host = PrimaryHost("")
    host.forget()
    assert host.online and not host.topic
