"""What an edge node says, message by message, as a host that knows only the specification reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.views.columns import columns_of
from edge.cloud.views.sparkplug.node import Names, Node
from edge.cloud.views.sparkplug.payload import Value
from edge.cloud.views.sparkplug.tags import ANSWER, BATTERY, DEVICES, NODE, WISH, Layout
from edge.model import Sample
from tests.cloud.views.kit import WALL_MS, Heard, Mirror, proves, sample

HELD: dict[str, Value] = {ANSWER: "", WISH: None}


def node(*, devices: tuple[str, ...] = tuple(DEVICES), setpoints: bool = False) -> Node:
    made = Node(Names("acme", "gw-0001"), Layout(devices, HELD.__getitem__, setpoints=setpoints))
    made.will()
    return made


def births(made: Node, one: Sample | None = None) -> list[Heard]:
    return [Heard(message) for message in made.births(one or sample(), WALL_MS + 5)]


def data(made: Node, one: Sample) -> list[Heard]:
    return [Heard(message) for message in made.data(one, one.wall_ms + 5)]


@proves(
    "topic-structure topic-structure-namespace-a topics-nbirth-topic topics-dbirth-topic topics-ndata-topic"
    " topics-ddata-topic topics-ddeath-topic topics-ndeath-topic topic-structure-namespace-valid-group-id"
    " topic-structure-namespace-valid-edge-node-id topic-structure-namespace-valid-device-id"
    " topic-structure-namespace-unique-device-id topic-structure-namespace-device-id-associated-message-types"
    " topic-structure-namespace-device-id-non-associated-message-types"
    " message-flow-edge-node-birth-publish-nbirth-topic message-flow-device-birth-publish-dbirth-topic"
    " message-flow-device-birth-publish-dbirth-match-edge-node-topic"
)
def test_topics_have_the_form_of_the_specification() -> None:
    made = node()
    topics = [heard.topic for heard in births(made)]
    assert topics == ["spBv1.0/acme/NBIRTH/gw-0001"] + [
        f"spBv1.0/acme/DBIRTH/gw-0001/{device}" for device in ("poc", "load", "pv", "battery")
    ]
    changed = data(made, sample(1, wish_w=5, pv_power_w=7, load_power_w=None))
    assert [heard.topic for heard in changed] == [
        "spBv1.0/acme/DDEATH/gw-0001/load", "spBv1.0/acme/NDATA/gw-0001", "spBv1.0/acme/DDATA/gw-0001/pv",
    ]  # fmt: skip
    assert made.death(WALL_MS)[0] == "spBv1.0/acme/NDEATH/gw-0001"


@proves(
    "topics-nbirth-timestamp topics-dbirth-timestamp payloads-nbirth-timestamp payloads-dbirth-timestamp"
    " payloads-timestamp-in-UTC payloads-metric-timestamp-in-UTC payloads-name-birth-data-requirement"
    " payloads-alias-birth-requirement payloads-alias-uniqueness payloads-metric-datatype-req topics-nbirth-metrics"
    " topics-dbirth-metrics topics-nbirth-metric-reqs topics-dbirth-metric-reqs payloads-name-requirement"
    " operational-behavior-data-publish-nbirth operational-behavior-data-publish-dbirth"
    " message-flow-edge-node-birth-publish-nbirth-payload message-flow-device-birth-publish-dbirth-payload"
    " payloads-nbirth-edge-node-descriptor topic-structure-namespace-unique-edge-node-descriptor"
)
def test_births_define_every_metric_with_name_alias_type_and_times() -> None:
    found = births(node(setpoints=True))
    aliases = [metric.alias for heard in found for metric in heard.metrics if metric.HasField("alias")]
    assert len(aliases) == len(set(aliases)) and 0 not in aliases
    for heard in found:
        assert heard.payload.timestamp == WALL_MS + 5
        for metric in heard.metrics:
            assert metric.name and metric.HasField("timestamp") and metric.datatype in (4, 10, 11, 12)
            assert metric.timestamp in (WALL_MS, WALL_MS + 5)
            assert metric.HasField("alias") or metric.name == "Node Control/Rebirth"
    assert sum(len(heard.metrics) for heard in found) == len(columns_of()) + 4 + 2, "columns, own ones, bdSeq, Rebirth"


@proves(
    "topics-nbirth-rebirth-metric payloads-nbirth-rebirth-req operational-behavior-data-commands-rebirth-name"
    " operational-behavior-data-commands-rebirth-name-aliases operational-behavior-data-commands-rebirth-datatype"
    " operational-behavior-data-commands-rebirth-value topics-nbirth-bdseq-included payloads-nbirth-bdseq"
    " message-flow-edge-node-birth-publish-nbirth-payload-bdSeq topics-nbirth-bdseq-matching payloads-nbirth-bdseq-repeat"
    " payloads-ndeath-bdseq message-flow-edge-node-birth-publish-will-message-payload"
    " message-flow-edge-node-birth-publish-will-message-topic topics-ndeath-payload topics-ndeath-seq payloads-ndeath-seq"
)
def test_the_birth_has_rebirth_without_alias_and_the_number_of_its_will() -> None:
    made = Node(Names("acme", "gw-0001"), Layout(DEVICES, HELD.__getitem__))
    will = Heard(made.will())
    assert will.topic == "spBv1.0/acme/NDEATH/gw-0001" and will.seq is None
    assert [(metric.name, metric.datatype) for metric in will.metrics] == [("bdSeq", 4)] and will.values() == {
        "bdSeq": 0
    }
    birth = births(made)[0]
    assert birth.values()["bdSeq"] == 0 and Heard(made.death(WALL_MS)).values() == {"bdSeq": 0}
    rebirth = next(metric for metric in birth.metrics if metric.name == "Node Control/Rebirth")
    assert rebirth.datatype == 11 and rebirth.boolean_value is False and not rebirth.HasField("alias")


@proves("topics-nbirth-bdseq-increment message-flow-edge-node-birth-publish-will-message-payload-bdSeq")
def test_the_number_of_the_will_begins_at_0_counts_each_connect_and_wraps_after_255() -> None:
    made = Node(Names("acme", "gw-0001"), Layout(DEVICES, HELD.__getitem__))
    numbers = [Heard(made.will()).values()["bdSeq"] for _ in range(258)]
    assert numbers == [*range(256), 0, 1]
    assert births(made)[0].values()["bdSeq"] == 1


@proves(
    "topics-nbirth-seq-num payloads-nbirth-seq payloads-sequence-num-zero-nbirth payloads-sequence-num-always-included"
    " payloads-sequence-num-incrementing topics-dbirth-seq payloads-dbirth-seq payloads-dbirth-seq-inc topics-ndata-seq-num"
    " payloads-ndata-seq payloads-ndata-seq-inc topics-ddata-seq-num payloads-ddata-seq payloads-ddata-seq-inc"
    " topics-ddeath-seq-num payloads-ddeath-seq payloads-ddeath-seq-inc payloads-ddeath-seq-number"
    " message-flow-edge-node-birth-publish-nbirth-payload-seq message-flow-device-birth-publish-dbirth-payload-seq"
)
def test_seq_counts_over_node_and_devices_from_0_to_255_and_around() -> None:
    made, mirror = node(), Mirror()
    heard = births(made)
    for second in range(1, 230):
        meter = None if second % 7 == 0 else second
        heard += data(made, sample(second, wish_w=second, poc_power_w=meter))
        if second % 10 == 0:
            heard += [Heard(message) for message in made.history([sample(-second)], WALL_MS)]
    for one in heard:
        mirror.hear(one)
    assert len(heard) > 520 and mirror.seqs == [index % 256 for index in range(len(heard))]
    assert births(made)[0].seq == 0, "a birth begins anew"


@proves(
    "topics-ndata-payload topics-ddata-payload payloads-alias-data-cmd-requirement topics-ndata-timestamp"
    " topics-ddata-timestamp payloads-ndata-timestamp payloads-ddata-timestamp"
    " operational-behavior-data-publish-nbirth-order operational-behavior-data-publish-dbirth-order"
)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 3), st.none() | st.integers(0, 2)), max_size=20))
def test_a_host_that_adds_up_births_and_changes_knows_every_value(steps: list[tuple[int, int, int | None]]) -> None:
    made, mirror = node(), Mirror()
    for heard in births(made):
        mirror.hear(heard)
    newest = sample()
    for second, (wish_w, soc, pv_w) in enumerate(steps, 1):
        newest = sample(second, wish_w=wish_w, soc_cpct=soc, pv_power_w=pv_w)
        for heard in data(made, newest):
            assert heard.payload.timestamp == newest.wall_ms + 5
            assert heard.verb != "NDATA" or heard.metrics, "nothing changed: no message"
            assert all(metric.timestamp == newest.wall_ms and not metric.HasField("datatype") for metric in heard.metrics
                       if heard.verb.endswith("DATA"))  # fmt: skip
            mirror.hear(heard)
    wanted = {column.name: column.shown(newest) for column in columns_of()}
    assert mirror.values[NODE, "wish_w"] == wanted["wish_w"]
    assert mirror.values["battery", "soc_pct"] == wanted["soc_pct"]
    if wanted["pv_power_w"] is not None:
        assert mirror.values["pv", "power_w"] == wanted["pv_power_w"]


def test_a_quiet_second_says_nothing() -> None:
    made = node()
    births(made)
    assert data(made, sample(1)) == [] and data(made, sample(2)) == []


@proves(
    "operational-behavior-data-publish-nbirth-values operational-behavior-data-publish-dbirth-values"
    " operational-behavior-device-ddeath payloads-ddeath-timestamp"
)
def test_a_value_that_is_not_known_is_null_and_a_device_that_is_not_seen_dies_and_is_born_again() -> None:
    made, dark = node(), {"pv_power_w": None, "grid_intensity_mg_per_kwh": None, "cell_temp_max_dc": None}
    found = births(made, sample(0, **dark))
    assert [heard.device for heard in found] == ["", "poc", "load", "battery"], "no birth of a device nobody sees"
    null = next(metric for metric in found[0].metrics if metric.name == "grid_intensity_g_per_kwh")
    assert null.is_null and null.WhichOneof("value") is None
    born = data(made, sample(1, grid_intensity_mg_per_kwh=None, cell_temp_max_dc=None))
    assert [(heard.verb, heard.device) for heard in born] == [("DBIRTH", "pv")]
    gone = data(made, sample(2, **dark))
    assert [(heard.verb, heard.device, len(heard.metrics)) for heard in gone] == [("DDEATH", "pv", 0)]
    assert gone[0].payload.timestamp and data(made, sample(3, **dark)) == []
    part = data(made, sample(4, **dark, soc_cpct=None))
    assert [heard.verb for heard in part] == ["DDATA"] and list(part[0].values().values()) == [None], (
        "its power is seen"
    )


@proves("message-flow-device-birth-publish-nbirth-wait payloads-dbirth-order payloads-ndata-order payloads-ddata-order")
def test_births_come_first_and_in_order() -> None:
    made = node()
    verbs = [heard.verb for heard in (*births(made), *data(made, sample(1, wish_w=1)))]
    assert verbs == ["NBIRTH", "DBIRTH", "DBIRTH", "DBIRTH", "DBIRTH", "NDATA"]


def test_history_is_in_payloads_of_its_own_with_its_own_times_and_leaves_the_present_alone() -> None:
    made, mirror = node(), Mirror()
    for heard in births(made, sample(9, wish_w=9, pv_power_w=None)):
        mirror.hear(heard)
    HELD[ANSWER] = "something of now"
    old = [Heard(message) for message in made.history([sample(s, wish_w=s, soc_cpct=None) for s in (1, 2)], WALL_MS)]
    HELD[ANSWER] = ""
    assert {heard.device for heard in old} == {"", "poc", "load", "battery"}, "pv is not born in this session"
    for heard in old:
        assert all(metric.is_historical for metric in heard.metrics)
        mirror.hear(heard)
    assert mirror.values[NODE, "wish_w"] == 9
    assert [row[2:] for row in mirror.history if row[1] == "wish_w"] == [(WALL_MS + 1_000, 1), (WALL_MS + 2_000, 2)]
    assert not any(row[1] in ("soc_pct", ANSWER) for row in mirror.history)
    assert not any(metric.is_historical for heard in data(made, sample(10)) for metric in heard.metrics)


@pytest.mark.parametrize(
    ("devices", "wanted"), [(("battery",), ["battery"]), (("poc", "battery", "door"), ["poc", "battery"])]
)
def test_a_site_has_the_devices_of_its_file(devices: tuple[str, ...], wanted: list[str]) -> None:
    assert [heard.device for heard in births(node(devices=devices))[1:]] == wanted


def test_values_are_in_engineering_units_and_say_which() -> None:
    found = {(h.device, m.name): m for h in births(node(), sample(0, battery_power_w=-7_001)) for m in h.metrics}
    soc, power = found[BATTERY, "soc_pct"], found[BATTERY, "power_w"]
    assert soc.double_value == 55.12 and soc.properties.keys == ["engUnit"]
    assert soc.properties.values[0].string_value == "%" and power.properties.values[0].string_value == "W"
    assert power.long_value == 2**64 - 7_001 and found[BATTERY, "cell_voltage_min_v"].double_value == 3.301
    assert (
        found[NODE, "mode_text"].string_value == "RUN" and found[NODE, "grid_intensity_g_per_kwh"].double_value == 312.5
    )
    assert (BATTERY, WISH) not in found, "not to be seen unless the owner lets it be written"
