"""Bus arithmetic before anything is opened: how old each value can get, how late a setpoint. What cannot hold is refused.

A transaction costs its gap, its bytes and the device's turnaround. It is never pre-empted, so what is due waits for
  * one transaction that is less urgent and just went out (also a technician's, and one that is read early for a command),
  * everything at least as urgent that becomes due while it waits: each once, and again for each of its periods in the wait.
A read that may itself be late by a period is lifted over other reads by the bus, and counts as urgent for all of them.
Age at worst = period + wait + transaction + half of the time the device averages over. A write waits for its own shortest
interval too. Without faults, in the steady state: identification and arming at the start are not in it, commands are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge.config.options import Config, Port
from edge.errors import Problem
from edge.field.device import BusDevice
from edge.field.line.timing import chars_us, gap_us, hole_max_count, read_bytes, silence_us, transaction_us, write_bytes
from edge.field.schedule.asks import ASK_REGISTERS_MAX
from edge.field.schedule.mailbox import WriteBox
from edge.field.schedule.poll import Poll
from edge.field.upkeep import rearm_s

LOAD_MAX_PERMILLE = 900  # above this a single retry makes everything late
WAIT_MAX_US = 60_000_000  # beyond this it is not late, it does not happen
AGE_NEVER_MS = 2_147_483_647
COMMAND_PERIOD_MS = 1_000  # the bus sends each at most so often
WATCHDOG_PART = 3  # the device hears from us so many times before its patience ends
BAUDS = (9_600, 19_200, 38_400, 57_600, 115_200)
CYCLES_MS = (200, 500, 1_000)


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One repeated transaction: how long it occupies the wire, how often, what becomes of it at worst."""

    port: str
    device: str
    what: str
    wire_us: int  # gap, request, turnaround, answer
    period_ms: int
    age_max_ms: int = 0  # of what is read, in the end; 0 for a write
    size_bytes: int = 0
    latency_max_ms: int = 0  # from a new value to its echo; 0 for a read
    blocks: tuple[str, ...] = ()  # that a read brings

    @property
    def load_permille(self) -> int:
        return self.wire_us // max(1, self.period_ms)


@dataclass(frozen=True, slots=True)
class RoleAge:
    """How old one value gets at worst, and what the kernel lets it; None: no limit there."""

    device: str
    role: str
    age_max_ms: int
    limit_ms: int | None


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    what: str
    device: BusDevice
    size_bytes: int
    own_us: int  # without the gap
    cost_us: int  # with it
    period_us: int
    rank: int  # URGENT, or the priority of a read
    poll: Poll | None = None
    box: WriteBox | None = None
    is_hoped: bool = False  # may go out early when nothing is due


TIMER = "comm-loss timer"
URGENT = 1


def budget(config: Config, devices: Sequence[BusDevice]) -> list[BudgetRow]:
    """Every repeated transaction of the site, port by port."""
    return [row for port in config.port for row in _port_rows(config, devices, port)]


def role_ages(config: Config, devices: Sequence[BusDevice]) -> list[RoleAge]:
    """Every value that somebody uses, in the order of the devices."""
    rows = {(row.device, block): row for row in budget(config, devices) for block in row.blocks}
    limits = _limits(config, devices)
    return [
        RoleAge(device.name, point.role, rows[device.name, block.name].age_max_ms,
                limits.get(device.name) if block.mandatory else None)
        for device in devices
        for block in device.profile.blocks
        for point in block.points
        if point.role and (device.name, block.name) in rows
    ]  # fmt: skip


def check_budget(config: Config, devices: Sequence[BusDevice]) -> list[Problem]:
    """A Problem for each port that cannot keep up, each block that gets too old, each watchdog that would bite."""
    problems = []
    for index, port in enumerate(config.port):
        faults = list(_faults(config, devices, port))
        key = "host" if port.kind == "tcp" else "baud"
        if faults:  # what would help is said once
            hints = ["; ".join([_sums(_port_rows(config, devices, port)), *_remedies(config, devices, port)])]
            hints += [""] * (len(faults) - 1)
            problems += [
                Problem(config.file, f"port[{index}].{key}", getattr(port, key), fault, hint)
                for fault, hint in zip(faults, hints, strict=True)
            ]
    return problems


# ---- what is sent


def _jobs(config: Config, devices: Sequence[BusDevice], port: Port) -> list[_Job]:
    mine = [device for device in devices if device.settings.port == port.name]
    gap = gap_us(port, [device.profile.link for device in mine])
    return [job for device in mine for job in _device_jobs(port, gap, device, config.site.cycle_ms)]


def _device_jobs(port: Port, gap: int, device: BusDevice, cycle_ms: int) -> Iterator[_Job]:
    def job(what: str, size_bytes: int, period_ms: float, rank: int, count: int = 1, **more: Any) -> _Job:
        own_us = transaction_us(port, device.profile.link, size_bytes)
        cost_us = count * (gap + own_us)
        return _Job(what, device, size_bytes, cost_us - gap, cost_us, int(1000 * period_ms), rank, **more)

    awaited = {flag for command in device.profile.commands for flag in (command.until,) if flag}
    for poll in device.polls:
        flagged = any(part.flag_indices for part in poll.parts)
        size_bytes = poll.expect.wire_chars
        yield job(f"read {poll.name}", size_bytes, 1000 * poll.period_s, poll.priority, poll=poll,
                  is_hoped=bool(awaited) and flagged)  # fmt: skip
    for box in device.boxes.values():
        size_bytes = write_bytes(box.write.fc, len(box.safe.registers))
        yield job(f"write {box.write.name}", size_bytes, max(cycle_ms, box.write.min_interval_ms), URGENT, box=box)
    for command in device.profile.commands:
        yield job(f"command {command.name}", write_bytes(command.fc, 1), COMMAND_PERIOD_MS, URGENT, len(command.writes))
    timer = device.watchdog()
    again_s = None if timer is None else rearm_s(*timer)
    if again_s is not None:  # with all that goes ahead of it, one after the other, each written and read back
        arming = device.arming()
        widest_count = max(len(registers) for _, _, registers, _ in arming)
        yield job(TIMER, write_bytes(16, widest_count), 1000 * again_s, URGENT, 2 * len(arming))
    if device.beat is not None:
        heartbeat, registers = device.beat.heartbeat, device.beat.wanted.registers
        yield job("heartbeat", write_bytes(heartbeat.fc, len(registers)), heartbeat.period_ms, URGENT)


def _waits_us(jobs: Sequence[_Job], ask_us: int) -> list[int | None]:
    """How long each waits at worst from when it is due until it is sent; None: for ever."""
    lifted: set[int] = set()
    while True:
        waits = [_wait_us(job, jobs, lifted, ask_us) for job in jobs]
        late = {
            index
            for index, (job, wait) in enumerate(zip(jobs, waits, strict=True))
            if job.rank > URGENT and (wait is None or wait > job.period_us)
        }
        if late <= lifted:
            return waits
        lifted |= late


def _wait_us(job: _Job, jobs: Sequence[_Job], lifted: set[int], ask_us: int) -> int | None:
    others = [(index, other) for index, other in enumerate(jobs) if other is not job]
    rises = job.rank > URGENT  # no read is lifted over a write
    ahead = [other for index, other in others if other.rank <= job.rank or (rises and index in lifted)]
    just_sent_us = max([ask_us, *(other.cost_us for _, other in others if other.rank > job.rank or other.is_hoped)])
    wait_us = just_sent_us
    while wait_us <= WAIT_MAX_US:
        found_us = just_sent_us + sum((wait_us // other.period_us + 1) * other.cost_us for other in ahead)
        if found_us == wait_us:
            return wait_us
        wait_us = found_us
    return None


def _port_rows(config: Config, devices: Sequence[BusDevice], port: Port) -> list[BudgetRow]:
    jobs = _jobs(config, devices, port)
    links = {id(job.device): job.device.profile.link for job in jobs}.values()
    asks_us = [transaction_us(port, link, read_bytes(min(ASK_REGISTERS_MAX, link.max_regs))) for link in links]
    ask_us = gap_us(port, links) + max(asks_us, default=0)
    rows = []
    for job, wait_us in zip(jobs, _waits_us(jobs, ask_us), strict=True):
        done_ms = AGE_NEVER_MS if wait_us is None else _ms(wait_us + job.own_us)
        row = BudgetRow(port.name, job.device.name, job.what, job.cost_us, job.period_us // 1000,
                        size_bytes=job.size_bytes)  # fmt: skip
        if job.poll is not None:
            age_ms = min(AGE_NEVER_MS, row.period_ms + done_ms + job.device.lag_ms)
            rows.append(replace(row, age_max_ms=age_ms, blocks=tuple(part.block.name for part in job.poll.parts)))
        elif job.what in ("heartbeat", TIMER):
            rows.append(row)
        elif job.box is not None:
            rows.append(replace(row, latency_max_ms=min(AGE_NEVER_MS, job.box.write.min_interval_ms + done_ms)))
    return rows


def _ms(time_us: int) -> int:
    """Rounded up, and one for the stamps, which are whole milliseconds."""
    return -(-time_us // 1000) + 1


# ---- what must hold


def _faults(config: Config, devices: Sequence[BusDevice], port: Port) -> Iterator[str]:
    rows = _port_rows(config, devices, port)
    load = sum(row.wire_us / row.period_ms for row in rows)
    if load > LOAD_MAX_PERMILLE:
        yield f"is busy {load / 10:.0f} % of the time; at most {LOAD_MAX_PERMILLE // 10} %"
    limits = _limits(config, devices)
    for device in devices:
        mine = [row for row in rows if row.device == device.name]
        needed = {block.name for block in device.profile.blocks if block.mandatory}
        for row in mine:
            allowed_ms = limits.get(device.name)
            if allowed_ms is not None and row.age_max_ms > allowed_ms and needed & set(row.blocks):
                yield _too_old(port, rows, row, device.lag_ms, allowed_ms)
        yield from _watchdog_faults(device, mine)


def _too_old(port: Port, rows: Sequence[BudgetRow], row: BudgetRow, lag_ms: int, allowed_ms: int) -> str:
    """The arithmetic, and how much less to read would do."""
    what = f"{row.device} {'+'.join(row.blocks)}"
    if row.age_max_ms >= AGE_NEVER_MS:
        return f"{what} is never sure of its turn: the others alone fill the port"
    turn_ms = row.age_max_ms - row.period_ms - lag_ms
    averaging = f" + {lag_ms} ms of averaging" if lag_ms else ""
    fewer_count = -(-1000 * (row.age_max_ms - allowed_ms) // (chars_us(port, 2) or 1))
    read_count = sum(other.size_bytes - read_bytes(0) for other in rows if other.blocks) // 2
    less = (
        f" (about {fewer_count} of its {read_count} registers fewer would do)" if fewer_count <= read_count // 2 else ""
    )
    return (
        f"{what} can be {row.age_max_ms} ms old = {row.period_ms} ms period + {turn_ms} ms until its turn and answer"
        f"{averaging}; at most {allowed_ms} ms{less}"
    )


def _watchdog_faults(device: BusDevice, rows: Sequence[BudgetRow]) -> Iterator[str]:
    """A setpoint is repeated three times while the device's patience lasts."""
    box = device.boxes.get("power_set")
    if device.watchdog_ms is None or box is None:
        return
    for row in rows:
        if row.what != "write power_set" or row.latency_max_ms == AGE_NEVER_MS:
            continue
        at_worst_ms = box.repeat_ms + row.latency_max_ms - box.write.min_interval_ms
        if at_worst_ms > device.watchdog_ms // WATCHDOG_PART or box.repeat_ms < box.write.min_interval_ms:
            yield (
                f"{device.name} power_set is repeated every {box.repeat_ms} ms, {at_worst_ms} ms at worst, and it takes one "
                f"every {box.write.min_interval_ms} ms; a watchdog of {device.watchdog_ms} ms wants it every "
                f"{device.watchdog_ms // WATCHDOG_PART} ms"
            )


def _limits(config: Config, devices: Sequence[BusDevice]) -> dict[str, int]:
    """How old the kernel lets each device get whose age it judges."""
    limits = {device.name: config.limits.poc_age_max_ms for device in devices if device.settings.use == "poc"}
    for unit in config.unit:
        limits |= {unit.pcs: unit.pcs_age_max_ms, unit.bms: unit.bms_age_max_ms}
    return limits


# ---- what would help


def _sums(rows: Sequence[BudgetRow]) -> str:
    heaviest = sorted(rows, key=lambda row: -row.load_permille)[:4]
    return ", ".join(f"{r.device} {r.what} {r.wire_us / 1000:.1f} ms per {r.period_ms} ms" for r in heaviest)


def _remedies(config: Config, devices: Sequence[BusDevice], port: Port) -> list[str]:
    """Single changes after which this port holds, tried one by one."""
    found = []
    for baud in BAUDS:
        if port.kind == "serial" and baud > port.baud and _holds(config, devices, replace(port, baud=baud)):
            found.append(f"{baud} baud would do")
            break
    mine = [device for device in devices if device.settings.port == port.name]
    alone = [device.name for device in mine if len(mine) > 1 and _holds_apart(config, devices, port, device)]
    if alone:
        found.append(f"a port of its own for {' or '.join(alone)} would do")
    least_ms = -(-silence_us(port) // 1000)
    smaller = 1000 * least_ms < gap_us(port, [device.profile.link for device in mine])
    if smaller and _holds(config, devices, replace(port, gap_ms=least_ms)):
        found.append(f"gap_ms = {least_ms} would do, if the devices bear it")
    for cycle_ms in CYCLES_MS:
        slower = replace(config, site=replace(config.site, cycle_ms=cycle_ms))
        if cycle_ms > config.site.cycle_ms and _holds(slower, devices, port):
            found.append(f"site.cycle_ms = {cycle_ms} would do")
            break
    return found or ["no faster baud, no port for one device alone and no longer cycle would do: divide the devices"]


def _holds(config: Config, devices: Sequence[BusDevice], port: Port) -> bool:
    ports = tuple(port if one.name == port.name else one for one in config.port)
    trial = replace(config, port=ports)
    built = [_built(device, port, trial) for device in devices if device.settings.port == port.name]
    return not any(_faults(trial, built, port))


def _holds_apart(config: Config, devices: Sequence[BusDevice], port: Port, apart: BusDevice) -> bool:
    mine = [device for device in devices if device.settings.port == port.name]
    return all(_holds(config, part, port) for part in ([d for d in mine if d is not apart], [apart]))


def _built(device: BusDevice, port: Port, config: Config) -> BusDevice:
    """The same device at another pace."""
    hole_count = hole_max_count(port, device.profile.link)
    return BusDevice(device.settings, device.profile, config.site.cycle_ms, hole_count)
