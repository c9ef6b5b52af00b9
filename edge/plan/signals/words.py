"""`edge signal list` and `edge signal check`: which sources there are, and what one says right now."""

import argparse
import dataclasses
import json
import textwrap
from datetime import UTC, datetime
from typing import Any

from edge.clock import Clock, SystemClock
from edge.config.options import Config, Signal
from edge.config.reader import load_config
from edge.errors import ConfigFault, Problem
from edge.plan.forecast import HourlyHistory
from edge.plan.signals.base import IntensityReading
from edge.plan.signals.ladder import Known, choose_rung
from edge.plan.signals.live import LoadWeights, Weigher, open_fetcher, site_source, site_weights, weighed
from edge.plan.signals.read.source import Source
from edge.plan.signals.samples import MarginalSample, MixSample, Sample
from edge.plan.signals.sources import SOURCES

WIDTH = 118
COMMAND_LINE = "the command line"


def add_signal_words(words: "argparse._SubParsersAction[argparse.ArgumentParser]", load: LoadWeights) -> None:
    """The word on the command line of `edge`. `load` gives a table of emission factors."""
    text = "where the grid's carbon intensity comes from: the sources there are, and what one says now"
    signal = words.add_parser("signal", help=text, description=text)
    signal.add_argument("what", choices=["list", "check"])
    signal.add_argument("-c", "--config", metavar="FILE", help="check: the site file (TOML); or instead of it:")
    signal.add_argument("--kind", choices=SOURCES, metavar="KIND", help="a source of `edge signal list`")
    signal.add_argument("--region", default="", help="the publisher's name of the region")
    signal.add_argument("--key-file", default="", metavar="FILE", help="where its key lies")
    signal.add_argument("--base-url", default="", metavar="URL", help="another address of the same interface")
    signal.add_argument("--ca-file", default="", metavar="FILE", help="PEM of a private CA")
    signal.add_argument("--factors", default="", metavar="TABLE", help="table of `edge factors list`")
    signal.add_argument("--basis", choices=["direct", "lifecycle"], default="direct")
    signal.add_argument("--json", action="store_true", help="for machines")
    signal.set_defaults(act=lambda options: show_signal(options, load, SystemClock()))


def show_signal(options: argparse.Namespace, load: LoadWeights, clock: Clock) -> int:
    """Prints the list, or asks one source once; 1 when nothing usable came. Raises ConfigFault."""
    if options.what == "list":
        rows = [source_facts(source) for source in SOURCES.values()]
        print(json.dumps(rows) if options.json else "\n".join(list_lines()))
        return 0
    config = _config(options)
    found = ask_once(config.signal, config.file, load, clock, config)
    print(json.dumps(found) if options.json else "\n".join(check_lines(found)))
    return 1 if found["fault"] else 0


def source_facts(source: Source) -> dict[str, Any]:
    names = ("name", "title", "kind", "base_url", "region", "factors", "interval_s", "key", "licence", "doubt")
    return {name: getattr(source, name) for name in names}


def list_lines() -> list[str]:
    """Three lines a source: what it is, its licence, its doubts."""
    lines = [f"{'kind':<16}{'publisher':<38}{'gives':<22}{'every':>7}  {'usual region':<14}key"]
    for source in SOURCES.values():
        every = f"{source.interval_s // 60} min"
        key = source.key or "none"
        lines.append(
            f"{source.name:<16}{source.title:<38}{source.kind:<22}{every:>7}  {source.region or 'must be given':<14}{key}"
        )
        for name, text in (("licence", source.licence), ("doubt", source.doubt)):
            lines += textwrap.wrap(text, WIDTH, initial_indent=f"{'':<16}{name}: ", subsequent_indent=" " * 18)
    return [
        *lines,
        "",
        "`marginal` is for estimates of avoided emissions: it is for [marginal], not for signal.kind",
    ]


def _config(options: argparse.Namespace) -> Config:
    if bool(options.config) == bool(options.kind):
        raise ConfigFault([Problem(COMMAND_LINE, "signal check", None, "needs either --config FILE or --kind KIND")])
    if options.config:
        config = load_config(options.config)
        if config.signal.kind not in SOURCES:
            allowed = "is not asked over HTTP: there is nothing to check"
            raise ConfigFault([Problem(config.file, "signal.kind", config.signal.kind, allowed)])
        return config
    signal = Signal(
        kind=options.kind, region=options.region, key_file=options.key_file, base_url=options.base_url,
        ca_file=options.ca_file, factors=options.factors, basis=options.basis,
    )  # fmt: skip
    return Config(file=COMMAND_LINE, site=None, limits=None, port=(), device=(), unit=(), signal=signal)  # type: ignore[arg-type]  # a signal asks for no more of a site


def ask_once(signal: Signal, file: str, load: LoadWeights, clock: Clock, config: Config) -> dict[str, Any]:
    """What one question brings, as plain data. Raises ConfigFault."""
    source, region = site_source(signal, file)
    weigher = site_weights(config, load) if source.kind != "marginal" else None
    fetched = open_fetcher(signal, source, region, clock, None).fetch()
    found: dict[str, Any] = {
        "source": source.name, "title": source.title, "region": region, "kind": source.kind, "asked": fetched.shown,
        "took_ms": fetched.took_ms, "size_bytes": fetched.size_bytes, "sha256": fetched.sha256,
        "count": fetched.count, "fault": fetched.fault, "licence": source.licence, "doubt": source.doubt,
        "wall_ms": fetched.wall_ms,
    }  # fmt: skip
    past = [sample for sample in fetched.samples if sample.start_wall_ms <= fetched.wall_ms + 3_600_000]
    if fetched.samples and not past:
        found["fault"] = "everything it says is more than an hour ahead; check this machine's clock"
    if past:
        found |= _newest(past[-1], weigher, fetched.mono_ms, fetched.wall_ms)
    return found


def _newest(sample: Sample, weigher: Weigher | None, mono_ms: int, wall_ms: int) -> dict[str, Any]:
    told: dict[str, Any] = {"sample": dataclasses.asdict(sample), "as_of_wall_ms": sample.as_of_wall_ms}
    if isinstance(sample, MarginalSample) or weigher is None:
        return told
    found = weighed(sample, weigher)
    if found is None:
        return told | {"fault": "nothing generates in the newest interval"}
    known = Known(
        found[0],
        sample.quality,
        sample.interval_s,
        sample.start_wall_ms,
        sample.as_of_wall_ms,
        wall_ms,
        mono_ms,
        found[1],
    )
    reading = choose_rung(known, HourlyHistory(), weigher, f"{sample.source}:{sample.region}", mono_ms, wall_ms)
    told["reading"] = dataclasses.asdict(reading)
    if isinstance(sample, MixSample):
        alone = {fuel: weigher.weigh({fuel: 1}) for fuel, _ in sample.power_kw}
        told["factors_mg_per_kwh"] = {fuel: pair[0] if pair else None for fuel, pair in alone.items()}
        told["value_mg_per_kwh"] = found[0]
    return told


def check_lines(found: dict[str, Any]) -> list[str]:
    """The answer as people read it: MW, shares, g/kWh, ages."""
    lines = [f"source     {found['title']} ({found['source']}), region {found['region']}"]
    if found["asked"]:
        lines.append(f"asked      {found['asked']}: {found['took_ms']} ms, {found['size_bytes'] / 1000:.1f} kB")
    if found["sha256"]:
        lines.append(f"answer     {found['count']} intervals, sha256 {found['sha256']}")
    sample = found.get("sample")
    if sample is not None:
        age_min = (found["wall_ms"] - found["as_of_wall_ms"]) / 60_000
        stop_ms = sample["start_wall_ms"] + sample["interval_s"] * 1000
        lines.append(f"newest     {_utc(sample['start_wall_ms'])} to {_utc(stop_ms)[11:]}, {age_min:.0f} min old")
        lines += _value_lines(found, sample)
    for name in ("licence", "doubt"):
        lines += textwrap.wrap(found[name], WIDTH, initial_indent=f"{name:<11}", subsequent_indent=" " * 11)
    if found["fault"]:
        lines += textwrap.wrap(found["fault"], WIDTH, initial_indent="FAULT      ", subsequent_indent=" " * 11)
    return lines


def _value_lines(found: dict[str, Any], sample: dict[str, Any]) -> list[str]:
    lines = []
    if "power_kw" in sample:
        lines += _mix_lines(sample["power_kw"], found["factors_mg_per_kwh"])
        if sample["unknown"]:
            names = ", ".join(sample["unknown"])
            lines.append(f"unknown    {names}: counted at the factor of unknown fuels")
    if sample["note"]:
        lines.append(f"note       {sample['note']}")
    if "marginal_mg_per_kwh" in sample:
        value = sample["marginal_mg_per_kwh"] / 1000
        return [*lines, f"marginal   {value:.1f} g/kWh, model {sample['model']}; never part of an inventory"]
    reading = IntensityReading(**found["reading"])
    if reading.value_mg_per_kwh is not None and reading.origin is not None:
        origin = found["reading"]["origin"]
        lines.append(
            f"intensity  {reading.value_mg_per_kwh / 1000:.1f} g/kWh, {origin['kind']}, {origin['factor_id']},"
            f" quality {reading.quality}"
        )
    return lines


def _mix_lines(power_kw: list[list[Any]], factors: dict[str, int | None]) -> list[str]:
    total_kw = sum(max(0, kw) for fuel, kw in power_kw if factors[fuel] is not None)
    lines = [f"{'':<11}{'fuel':<12}{'MW':>12}{'share %':>9}{'g/kWh':>9}"]
    for fuel, kw in sorted(power_kw, key=lambda pair: -pair[1]):
        grams = factors[fuel]
        share = f"{100 * max(0, kw) / total_kw:.1f}" if grams is not None and total_kw else "-"
        shown = "not counted" if grams is None else f"{grams / 1000:.1f}"
        lines.append(f"{'':<11}{fuel:<12}{kw / 1000:>12.1f}{share:>9}{shown:>{12 if grams is None else 9}}")
    return lines


def _utc(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms // 1000, UTC).strftime("%Y-%m-%d %H:%MZ")
