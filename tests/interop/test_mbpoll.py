"""mbpoll, a master made with libmodbus, against our simulated devices on their paced line. Needs real time."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable

import pytest

from hil.pty import PtyBus
from tests.hil.site_kit import Kit
from tests.interop import peers
from tests.interop.conftest import Row

pytestmark = pytest.mark.hil
BAUD = 115_200
ROUND_LIMIT_S = 0.2  # about a tenth of it is the rule
BMS_MAIN = 0x2100
IT_POWER = 0x34
PCS_COMM_TIMEOUT, PCS_POWER_SET = 327, 135
Poll = Callable[..., Awaitable[tuple[str, dict[int, str]]]]


def version() -> str:
    """The program says 1.0-0 whatever it is, so the package is asked where there is one."""
    if shutil.which("dpkg-query"):
        command = ["dpkg-query", "-W", "-f", "${Version}", "mbpoll"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout or "unknown"
    return "unknown"


def command(path: str, address: int, *arguments: str) -> list[str]:
    """The program on the line with wire addresses, 8N1 and half a second of patience."""
    return ["mbpoll", "-m", "rtu", "-b", f"{BAUD}", "-P", "none", "-0", "-o", "0.5", "-q", "-a", f"{address}",
            *arguments[:-1], path, *arguments[-1].split()]  # fmt: skip


def play(kit: Kit, story: Callable[[Poll], Awaitable[None]]) -> None:
    async def main() -> None:
        bus = PtyBus("line", BAUD, [kit.bms, kit.it, kit.pcs])
        bus.start()

        async def poll(
            address: int, table: str, start: int, count: int = 1, write: str = ""
        ) -> tuple[str, dict[int, str]]:
            """One request of the program: what it says, and register -> value as printed."""
            size = () if write else ("-c", f"{count}")
            arguments = command(bus.path, address, "-1", "-t", *table.split(), "-r", f"{start}", *size, write)
            process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            said = (await asyncio.wait_for(process.communicate(), 5))[0].decode()
            return said, {int(a): value for a, value in re.findall(r"^\[(\d+)\]:\s+(\S+)", said, re.MULTILINE)}

        try:
            await story(poll)
        finally:
            bus.stop()

    peers.require("mbpoll")
    asyncio.run(main())


def test_it_reads_what_the_plant_holds_through_both_read_functions() -> None:
    kit = Kit()

    async def story(poll: Poll) -> None:
        _, main = await poll(1, "4", BMS_MAIN, 5)
        pack = kit.unit.pack
        assert main[BMS_MAIN] == f"{round(pack.voltage_v * 10)}" and main[BMS_MAIN + 3] == f"{round(pack.soc * 100)}"
        said, power = await poll(3, "3:float", IT_POWER)
        assert float(power[IT_POWER]) != pytest.approx(kit.site.it_power_w), (
            "its word order is the other one without -B"
        )
        _, power = await poll(3, "3:float -B", IT_POWER)
        assert float(power[IT_POWER]) == pytest.approx(kit.site.it_power_w, rel=1e-5), said

    play(kit, story)


def test_it_writes_with_both_write_functions_and_reads_back() -> None:
    kit = Kit()
    functions: list[int] = []
    receive = kit.pcs.receive

    def tap(frame: bytes) -> bytes | None:
        functions.append(frame[1])
        return receive(frame)

    kit.pcs.receive = tap

    async def story(poll: Poll) -> None:
        said, _ = await poll(2, "4", PCS_COMM_TIMEOUT, write="7")
        assert "Written 1 references" in said and kit.unit.pcs.comm_timeout_s == 7.0
        assert (await poll(2, "4", PCS_COMM_TIMEOUT))[1] == {PCS_COMM_TIMEOUT: "7"}
        said, _ = await poll(2, "4", PCS_COMM_TIMEOUT, write="9 9")
        assert (
            "Illegal data address" in said and kit.unit.pcs.comm_timeout_s == 7.0
        )  # the register after it is not there
        assert {6, 16} == set(functions) - {3}

    play(kit, story)


@pytest.mark.parametrize(
    ("table", "start", "write", "said"),
    [
        ("4", 9_999, "", "Illegal data address"),
        ("4", PCS_POWER_SET, "9999", "Illegal data value"),
        ("3", 0, "", "Illegal function"),
        ("0", 0, "", "Illegal function"),
        ("1", 0, "", "Illegal function"),
        ("0", 0, "1", "Illegal function"),
    ],
)
def test_it_understands_each_refusal_of_our_devices(table: str, start: int, write: str, said: str) -> None:
    async def story(poll: Poll) -> None:
        assert said in (await poll(2, table, start, write=write))[0]

    play(Kit(), story)


def test_a_device_that_is_not_there_is_silent() -> None:
    async def story(poll: Poll) -> None:
        assert "timed out" in (await poll(9, "4", 0))[0]

    play(Kit(), story)


def test_every_round_of_its_polling_is_right(row: Row) -> None:
    kit = Kit()

    async def main() -> None:
        bus = PtyBus("line", BAUD, [kit.bms, kit.it, kit.pcs])
        bus.start()
        loop = asyncio.get_running_loop()
        arguments = command(bus.path, 1, "-l", "11", "-t", "4", "-r", f"{BMS_MAIN}", "-c", "5", "")
        process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        said, start_s = b"", loop.time()
        try:
            async with asyncio.timeout(5 + ROUND_LIMIT_S * peers.ROUNDS):
                while said.count(b"Polling") <= peers.ROUNDS:  # the last may be cut short
                    said += await process.stdout.read(65_536) or b"Polling ended" * peers.FULL_ROUNDS
        finally:
            process.kill()
            await process.wait()
            bus.stop()
        per_round_ms = (loop.time() - start_s) * 1000 / bus.request_count
        rounds = said.decode().split("Polling slave 1...")[1:-1]
        values = [re.findall(r"^\[\d+\]:\s+(\S+)", text, re.MULTILINE) for text in rounds]
        pack = kit.unit.pack
        right = [found for found in values if len(found) == 5 and found[0] == f"{round(pack.voltage_v * 10)}"]
        row("mbpoll", version(), "master of our devices (11 ms pause)", len(values), len(right), per_round_ms)
        assert len(values) >= peers.ROUNDS and right == [values[0]] * len(values), said[-500:]

    peers.require("mbpoll")
    asyncio.run(main())
