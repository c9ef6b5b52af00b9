"""The sizes and rates of deploy/cloud/scale.md: `python -m tests.cloud.scale` prints them, a test compares the page.

Sizes are measured on messages of the codec and of the Sparkplug node, made of the noisy seconds of golden_batches; rates are
those sizes times a number of gateways: calculated, no more.
"""

import json

from edge.cloud.codec import Ack, Batch, encode_ack, encode_batch, schema_id, schema_json
from edge.cloud.topics import Topics
from edge.cloud.views.columns import columns_of, named
from edge.cloud.views.sparkplug.node import Names, Node
from edge.cloud.views.sparkplug.tags import DEVICES, Layout
from tests.cloud.golden_batches import WALL_MS, day

SECONDS = 600
FLEETS = (100, 1_000, 10_000, 100_000)
MONTH_S = 30 * 86_400
MQTT_BYTES = 2 + 2 + len(Topics("acme", "gw-0001").live("site")) + 2 + 1  # header, topic, packet id, no properties


def batch_bytes(count: int) -> float:
    """Payload of a message of so many samples, on average."""
    rows, schema = day(SECONDS), schema_id(schema_json())
    starts = range(0, SECONDS - count + 1, count)
    sizes = [len(encode_batch(Batch(schema, 2**62, 10**6 + at, rows[at : at + count]))) for at in starts]
    return sum(sizes) / len(sizes)


def sparkplug_bytes() -> tuple[int, float, float]:
    """(all births, payloads of a second, messages of a second)."""
    node, rows = Node(Names("tidewatt", "gw-0001"), Layout(DEVICES, lambda _: "")), day(SECONDS)
    node.will()
    births = sum(len(payload) for _, payload in node.births(rows[0], WALL_MS))
    said = [payload for one in rows[1:] for _, payload in node.data(one, one.wall_ms)]
    return births, sum(map(len, said)) / (SECONDS - 1), len(said) / (SECONDS - 1)


def json_bytes() -> float:
    rows = day(SECONDS)
    return sum(len(json.dumps({"wall_ms": one.wall_ms, **dict(named(columns_of(), one))}, separators=(",", ":")))
               for one in rows) / SECONDS  # fmt: skip


def size_lines() -> list[str]:
    """The table of sizes."""
    births, second, messages = sparkplug_bytes()
    ack = len(encode_ack(Ack("site", 2**62, 10**6, ((10**6, 10**6),))))
    lines = ["| message | payload, bytes | per sample |", "|---|---:|---:|"]
    for count, name in ((1, "live, 1 sample"), (60, "backlog, 60 samples"), (100, "100 samples")):
        lines.append(f"| {name} | {batch_bytes(count):.0f} | {batch_bytes(count) / count:.1f} |")
    lines.append(f"| ack of the ingest | {ack} | |")
    lines.append(f"| JSON view, 1 sample | {json_bytes():.0f} | {json_bytes():.0f} |")
    lines.append(f"| Sparkplug, a second ({messages:.1f} messages, changes only) | {second:.0f} | {second:.0f} |")
    return [*lines, f"| Sparkplug, all births of a session | {births} | |"]


def rate_lines() -> list[str]:
    """The table of rates."""
    live_bytes = batch_bytes(1) + MQTT_BYTES
    heads = (
        "gateways",
        "samples/s",
        "live, messages/s",
        "all through the broker, messages/s",
        "live, MB/s",
        "live, GB/month",
    )
    lines = [f"| {' | '.join(heads)} |", "|" + "---:|" * len(heads)]
    for count in FLEETS:
        byte_rate = count * live_bytes
        row = (f"{count:,}", f"{count:,}", f"{count:,}", f"{4 * count:,}", f"{byte_rate / 1e6:.2f}",
               f"{byte_rate * MONTH_S / 1e9:,.0f}")  # fmt: skip
        lines.append("| " + " | ".join(cell.replace(",", " ") for cell in row) + " |")
    return lines


if __name__ == "__main__":
    print("\n".join([*size_lines(), "", *rate_lines()]))
