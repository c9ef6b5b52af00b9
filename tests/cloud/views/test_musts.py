"""Each MUST of Sparkplug 3.0 that concerns an edge node is shown by a test, or is not ours for a reason said here.

The names are the specification's own test identifiers; those of host applications, of the broker, of templates and data
sets (we have none) are left out.
"""

from tests.cloud.views import test_node, test_orders, test_payload, test_session
from tests.cloud.views.kit import PROVEN


def _ids(start: str, ends: str) -> set[str]:
    return {f"{start}-{end}" for end in ends.split()}


MODULES = (test_node, test_orders, test_payload, test_session)
NOT_OURS = {
    "topics-ncmd-topic": "a host publishes it",
    "topics-ncmd-mqtt": "a host publishes it",
    "topics-ncmd-timestamp": "a host publishes it; a wish without is refused",
    "topics-ncmd-payload": "a host publishes it",
    "topics-dcmd-topic": "a host publishes it",
    "topics-dcmd-mqtt": "a host publishes it",
    "topics-dcmd-timestamp": "a host publishes it; a wish without is refused",
    "topics-dcmd-payload": "a host publishes it",
    "payloads-propertyset-quality-value-type": "no Quality property: what is not good is null or dead",
    "payloads-propertyset-quality-value-value": "no Quality property",
    "operational-behavior-primary-application-state-with-multiple-servers-walk": "one broker in the list",
}
TOPICS = {
    f"topics-{verb}-{what}"
    for verb, more in {
        "nbirth": "seq-num timestamp metric-reqs metrics bdseq-included bdseq-matching bdseq-increment rebirth-metric mqtt",
        "ndata": "seq-num timestamp payload mqtt", "ddata": "seq-num timestamp payload mqtt", "ndeath": "payload seq",
        "dbirth": "seq timestamp metric-reqs metrics mqtt", "ddeath": "mqtt seq-num",
        "ncmd": "mqtt timestamp payload", "dcmd": "mqtt timestamp payload",
    }.items()
    for what in ("topic", *more.split())
}  # fmt: skip
PAYLOADS = {
    f"payloads-{verb}-{what}"
    for verb, more in {
        "nbirth": "timestamp edge-node-descriptor seq bdseq bdseq-repeat rebirth-req qos retain",
        "dbirth": "timestamp seq seq-inc order qos retain", "ndata": "timestamp seq seq-inc order qos retain",
        "ddata": "timestamp seq seq-inc order qos retain", "ddeath": "timestamp seq seq-inc seq-number",
        "ndeath": "seq will-message will-message-qos will-message-retain bdseq"
                  " will-message-publisher-disconnect-mqtt311 will-message-publisher-disconnect-mqtt50",
        "alias": "uniqueness birth-requirement data-cmd-requirement", "name": "requirement birth-data-requirement",
        "metric": "timestamp-in-UTC datatype-value-type datatype-value datatype-req propertyvalue-type-type"
                  " propertyvalue-type-value propertyvalue-type-req",
        "propertyset": "keys-array-size values-array-size quality-value-type quality-value-value",
        "sequence-num": "always-included zero-nbirth incrementing", "timestamp": "in-UTC",
    }.items()
    for what in more.split()
}  # fmt: skip
FLOWS = _ids(
    "message-flow-edge-node",
    "ncmd-subscribe birth-publish-connect birth-publish-will-message birth-publish-will-message-topic"
    " birth-publish-will-message-payload birth-publish-will-message-payload-bdSeq birth-publish-will-message-qos"
    " birth-publish-will-message-will-retained birth-publish-phid-wait birth-publish-phid-wait-id"
    " birth-publish-phid-wait-online birth-publish-phid-wait-timestamp birth-publish-nbirth-topic"
    " birth-publish-nbirth-payload birth-publish-nbirth-payload-bdSeq birth-publish-nbirth-qos"
    " birth-publish-nbirth-retained birth-publish-nbirth-payload-seq birth-publish-phid-offline",
) | _ids(
    "message-flow-device",
    "dcmd-subscribe birth-publish-nbirth-wait birth-publish-dbirth-topic birth-publish-dbirth-payload"
    " birth-publish-dbirth-match-edge-node-topic birth-publish-dbirth-qos birth-publish-dbirth-retained"
    " birth-publish-dbirth-payload-seq",
)
BEHAVIOUR = _ids(
    "operational-behavior",
    "edge-node-intentional-disconnect-ndeath edge-node-termination-host-offline device-ddeath"
    " edge-node-termination-host-offline-reconnect edge-node-termination-host-offline-timestamp"
    " edge-node-birth-sequence-wait data-publish-nbirth data-publish-nbirth-values data-publish-nbirth-order"
    " data-publish-dbirth data-publish-dbirth-values data-publish-dbirth-order data-commands-rebirth-name"
    " data-commands-rebirth-name-aliases data-commands-rebirth-datatype data-commands-rebirth-value"
    " data-commands-ncmd-rebirth-verb data-commands-ncmd-rebirth-name data-commands-ncmd-rebirth-value"
    " data-commands-rebirth-action-1 data-commands-rebirth-action-2 data-commands-rebirth-action-3"
    " data-commands-ncmd-verb data-commands-ncmd-metric-value data-commands-dcmd-verb data-commands-dcmd-metric-value"
    " primary-application-state-with-multiple-servers-single-server"
    " primary-application-state-with-multiple-servers-walk",
)
STRUCTURE = {"topic-structure", "topic-structure-namespace-a"} | _ids(
    "topic-structure-namespace",
    "valid-group-id valid-edge-node-id valid-device-id unique-edge-node-descriptor unique-device-id"
    " device-id-associated-message-types device-id-non-associated-message-types",
)
MUSTS = TOPICS | PAYLOADS | FLOWS | BEHAVIOUR | STRUCTURE


def test_every_must_is_proved_by_a_test_or_is_not_ours() -> None:
    assert len(MODULES) == 4 and set(PROVEN).isdisjoint(NOT_OURS)
    assert sorted(set(PROVEN) | set(NOT_OURS)) == sorted(MUSTS)
    assert len(MUSTS) >= 140
