"""Who may ask for what, and for how long: the leases. Wishes go in, one Standing per cycle comes out.

Power: one lease per source, the newest of a source replaces its older one, console > fleet > plan > rule, an expired
lease is gone. hold is sticky, drops every lease, wins over everything and ends only by `resume` at the console. reset
is an edge of one cycle. service and calibrate are toggled at the console; resume ends service, hold ends calibrate.
Everybody may wish and hold; the rest by anybody but the console is refused and counted: remote narrows, it never permits.

The kernel decides what happens; nothing here knows a limit of the plant.
"""

from collections import deque
from dataclasses import dataclass, replace

from edge.model import Request

# enum tw_command of native/kernel_abi.h (a test compares).
COMMAND_RUN = 1
COMMAND_HOLD = 2
COMMAND_SERVICE = 4
COMMAND_RESET = 8
COMMAND_CALIBRATE = 32
WISH_KIND = {"battery": 1, "grid": 2, "manual": 3}  # enum tw_wish_kind

PRIORITY = ("console", "fleet", "plan", "rule")
_REMOTE = frozenset({"power", "hold"})
ALLOWED: dict[str, frozenset[str]] = {
    "console": frozenset({"power", "hold", "resume", "reset", "service", "run", "calibrate"}),
    "fleet": _REMOTE,
    "plan": _REMOTE,
    "rule": _REMOTE,
}
LEASE_MAX_MS = 900_000  # the longest lease the configuration allows; whoever wants more asks again
POWER_MAX_W = 100_000_000  # TW_POWER_LIMIT_W: keeps any wish inside the kernel's integers
QUEUE_MAX = 256  # a cycle sees a handful; more is a program gone wild


@dataclass(slots=True)
class Standing:
    """What holds this cycle: the words for `tw_input_t`. One instance, rewritten by each settle; copy what you keep."""

    commands: int = 0
    wish_kind: int = 0
    wish_w: int = 0
    wish_left_ms: int = 0
    source: str = ""  # whose wish, or who holds
    reason: str = ""

    def text(self) -> str:
        """For the screen: who rules now."""
        if self.commands & COMMAND_HOLD:
            return f"held by {self.source}" + (f": {self.reason}" if self.reason else "")
        if self.commands & COMMAND_SERVICE:
            return "service"
        if not self.commands & COMMAND_RUN:
            return "waiting for resume"
        if not self.source:
            return "no wish"
        return f"wish of {self.source}" + (f": {self.reason}" if self.reason else "")


class Authority:
    """Owner of the leases. `offer` may be called from any thread; everything else belongs to the control thread."""

    def __init__(self, *, auto_run: bool) -> None:
        self._queue: deque[Request] = deque()
        self._hold_overflow: Request | None = None
        self._leases: dict[str, Request | None] = dict.fromkeys(PRIORITY)
        self._run = auto_run
        self._service = False
        self._reset = False
        self._calibrate = False
        self._hold: Request | None = None
        self._last_mono_ms: int | None = None
        self._standing = Standing()
        self.refused_count = 0
        self.refused_last = ""
        self.dropped_count = 0  # offers lost because nobody settled; approximate when threads collide

    def offer(self, request: Request) -> None:
        """Hands a wish over; it counts from the next settle on. A hold is never lost."""
        if len(self._queue) < QUEUE_MAX:
            self._queue.append(request)  # deque.append is atomic
        elif request.kind == "hold" and "hold" in ALLOWED.get(request.source, ()):
            self._hold_overflow = request
        else:
            self.dropped_count += 1

    @property
    def standing(self) -> Standing:
        """What the last settle said; rewritten by the next one."""
        return self._standing

    def settle(self, now_mono_ms: int) -> Standing:
        """Drains the offers and says what holds at this time. Once per cycle."""
        if self._last_mono_ms is not None and now_mono_ms < self._last_mono_ms:
            self._drop_leases()  # a clock that went back would lengthen every lease
        self._last_mono_ms = now_mono_ms
        self._reset = False
        for _ in range(len(self._queue)):  # what arrives meanwhile waits for the next cycle
            self._take(self._queue.popleft(), now_mono_ms)
        overflow = self._hold_overflow
        if overflow is not None:  # one that arrives between these two lines is lost, but a hold stands all the same
            self._hold_overflow = None
            self._take(overflow, now_mono_ms)
        return self._stand(now_mono_ms)

    def _take(self, request: Request, now_mono_ms: int) -> None:
        source, kind = request.source, request.kind
        if kind not in ALLOWED.get(source, ()):
            self.refused_count += 1
            self.refused_last = f"{kind} from {source}"
            return
        match kind:
            case "power":
                self._lease(request, now_mono_ms)
            case "hold":
                self._hold, self._calibrate = request, False
                self._drop_leases()  # nobody is surprised by an old wish after resume
            case "resume":
                self._hold, self._run, self._service = None, True, False
            case "run":
                self._run = True
            case "reset":
                self._reset = True
            case "calibrate":
                self._calibrate = not self._calibrate
            case "service":
                self._service = not self._service
                self._drop_leases()

    def _lease(self, request: Request, now_mono_ms: int) -> None:
        if self._hold is not None or self._service:
            return  # asked while nobody may have it: ask again
        power_w = max(-POWER_MAX_W, min(request.power_w, POWER_MAX_W))
        expires_mono_ms = min(request.expires_mono_ms, now_mono_ms + LEASE_MAX_MS)
        if (power_w, expires_mono_ms) != (request.power_w, request.expires_mono_ms):
            request = replace(request, power_w=power_w, expires_mono_ms=expires_mono_ms)
        self._leases[request.source] = request  # also when expired already: that is how a source withdraws

    def _drop_leases(self) -> None:
        for source in PRIORITY:
            self._leases[source] = None

    def _stand(self, now_mono_ms: int) -> Standing:
        chosen: Request | None = None
        for source in PRIORITY:
            lease = self._leases[source]
            if lease is None:
                continue
            if lease.expires_mono_ms <= now_mono_ms:
                self._leases[source] = None
            elif chosen is None:
                chosen = lease
        standing = self._standing
        standing.commands = (
            (COMMAND_RUN if self._run else 0)
            | (COMMAND_HOLD if self._hold is not None else 0)
            | (COMMAND_SERVICE if self._service else 0)
            | (COMMAND_RESET if self._reset else 0)
            | (COMMAND_CALIBRATE if self._calibrate else 0)
        )
        shown = self._hold or chosen
        standing.source = shown.source if shown else ""
        standing.reason = shown.reason if shown else ""
        standing.wish_kind = WISH_KIND[chosen.form] if chosen else 0
        standing.wish_w = chosen.power_w if chosen else 0
        standing.wish_left_ms = chosen.expires_mono_ms - now_mono_ms if chosen else 0
        return standing
