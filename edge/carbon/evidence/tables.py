"""The tables of a package, line by line: what each column is called, and how a value stands in it. RFC 4180, UTF-8, LF.

Energies are whole mJ (3 600 000 are a watt-hour), carbon whole ug, times UTC. Empty: not known.
"""

import re
from collections.abc import Iterable, Iterator

from edge.carbon.evidence.account import SINKS, SOURCES, Account, Amendments, Row, load_ug
from edge.carbon.ledger.body import carbon_ug, energy_mj, import_mj
from edge.carbon.ledger.entry import Body, Entry, canonical, utc_text

FLOWS = [(source, sink) for source in SOURCES for sink in SINKS if source != sink]
INTERVALS = (
    "no", "start_utc", "stop_utc", "quality", "corrected_by", "moved_ms",
    *(f"{source}_{sink}_mj" for source, sink in FLOWS), "gap_import_mj", "import_mj", "export_mj", "it_mj", "facility_mj",
    "factor_id", "factor_kind", "factor_mg_per_kwh", "factor_quality", "factor_version", "payload_sha256",
    "location_ug", "market_ug", "revised_ug", "load_ug", "export_ug", "charge_ug", "discharge_ug", "loss_ug",
    "pool_open_uj", "pool_open_ug", "pool_close_uj", "pool_close_ug", "missing_ms", "clock_source", "clock_offset_ms",
    "clock_synced", "method",
)  # fmt: skip
REGISTERS = ("no", "start_utc", "meter", "register", "start_wh", "stop_wh", "delta_wh", "quality", "reason")
CHANGES = ("no", "kind", "at_utc", "entry", "who", "why", "body")
ROOTS = ("day", "no", "first_no", "last_no", "count", "root", "digest", "key", "signature", "stamped_by")
PAYLOADS = ("sha256", "source", "first_used_utc", "uses", "kept")
CHANGE_KINDS = (
    "correction", "rollover", "meter_exchange", "calibration_change", "clock_correction", "factor_revised", "pool_step",
)  # fmt: skip


def line(values: Iterable[object]) -> bytes:
    """One line. A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return (",".join(_cell(value) for value in values) + "\n").encode()


_ODD = re.compile(r'[\x00-\x1f,"]|^[=+\-@]')  # a control character would end the line


def _cell(value: object) -> str:
    if type(value) is int:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if not _ODD.search(text):
        return text
    text = "".join(mark if mark >= " " else " " for mark in text)
    text = "'" + text if text[0] in "=+-@" else text
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text


def interval_line(row: Row) -> bytes:
    body, factor, pool, clock = row.body, row.body["factor"], row.body["pool"], row.body["clock"]
    flows = {(flow["from"], flow["to"]): flow["mj"] for flow in body["flows"]}
    delivered_ug = carbon_ug(body, "battery") - carbon_ug(body, "battery", "losses")
    return line(
        [
            row.no, utc_text(row.start_ms), utc_text(row.stop_ms), body["quality"], row.corrected_by or None, row.moved_ms,
            *(flows.get(pair, 0) for pair in FLOWS), body["gap"]["import_mj"] if body["gap"] else 0, import_mj(body),
            energy_mj(body, None, "export"), body["it_mj"], body["facility_mj"],
            factor["id"], factor["kind"], factor["mg_per_kwh"], factor["quality"], factor["version"],
            factor["payload_sha256"],
            row.location_ug, body["market"]["ug"], row.revised_ug, load_ug(body) + row.revised_ug,
            carbon_ug(body, None, "export"), carbon_ug(body, None, "battery"), delivered_ug, pool["loss_ug"],
            pool["open_uj"], pool["open_ug"], pool["close_uj"], pool["close_ug"], body["missing_ms"], clock["source"],
            clock["offset_ms"], clock["synced"], body["method"],
        ]
    )  # fmt: skip


def register_lines(row: Row) -> Iterator[bytes]:
    for span in row.body["registers"]:
        yield line([row.no, utc_text(row.start_ms), *(span[name] for name in REGISTERS[2:])])


def change_line(entry: Entry) -> bytes:
    body = entry.body
    about = [body.get("entry"), body.get("who", ""), body.get("why", "")]
    return line([entry.no, entry.kind, utc_text(entry.at_ms), *about, canonical(body).decode()])


def root_line(entry: Entry, amendments: Amendments) -> bytes:
    body: Body = entry.body
    signed, stamped = amendments.signatures.get(entry.no, {}), amendments.stamps.get(entry.no, {})
    return line(
        [
            body["day"], entry.no, body["first_no"], body["last_no"], body["count"], body["root"], entry.digest,
            signed.get("key", ""), signed.get("signature", ""), stamped.get("authority", ""),
        ]
    )  # fmt: skip


def payload_lines(account: Account, kept: set[str]) -> Iterator[bytes]:
    for digest, (source, first_ms, uses) in sorted(account.payloads.items()):
        yield line([digest, source, utc_text(first_ms), uses, digest in kept])
