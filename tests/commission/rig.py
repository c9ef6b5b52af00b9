"""Lines for a scan in virtual time: one true setting, deaf at every other, everything that is sent is kept."""

import asyncio
from collections.abc import Callable, Sequence

from edge.commission.scan.search import Progress, Result, Search
from edge.commission.scan.settings import Plan, Setting, make_plan
from edge.field.line.port import OnBytes
from edge.field.profiles.loader import all_profiles
from hil.slave import Slave
from hil.virtual import run
from hil.wire import Spoil, WirePort

Script = Callable[["Line", OnBytes], None]


class Line:
    """A bus whose devices hear one setting only. `chatter` may put bytes of others on the line, at whatever setting."""

    def __init__(self, slaves: Sequence[Slave], setting: Setting, spoil: Spoil | None = None) -> None:
        self.slaves, self.setting, self.spoil = slaves, setting, spoil
        self.sent: list[tuple[Setting, bytes]] = []
        self.chatter: Script = lambda line, on_bytes: None

    def port(self, setting: Setting) -> "Tap":
        return Tap(self, setting)


class Tap:
    """Implements edge.field.line.port.Port at one setting."""

    def __init__(self, line: Line, setting: Setting) -> None:
        self.name = "tap"
        self._line, self._setting = line, setting
        self._wire = WirePort("tap", setting.baud, line.slaves, spoil=line.spoil, parity=setting.parity)

    def open(self, on_bytes: OnBytes) -> None:
        self._wire.open(on_bytes)
        self._line.chatter(self._line, self.hear)

    def hear(self, data: bytes) -> None:
        self._wire._deliver(data)

    def write(self, frame: bytes) -> None:
        self._line.sent.append((self._setting, frame))
        if self._setting == self._line.setting:
            self._wire.write(frame)

    def close(self) -> None:
        self._wire.close()


def scan(line: Line, plan: Plan | None = None, note: Callable[[Progress], None] = lambda progress: None) -> Result:
    """The whole scan, in virtual time."""

    async def main() -> Result:
        return await Search(plan or make_plan("/dev/bus"), line.port, all_profiles()[0], note).run()

    return run(main())


def later(seconds: float, on_bytes: OnBytes, data: bytes) -> None:
    asyncio.get_running_loop().call_later(seconds, on_bytes, data)
