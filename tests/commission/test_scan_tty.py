"""The scan on real ttys and as a process: the right baud among four, another master, a port that is in use."""

import asyncio
import json
import os
import sys
import tty
from pathlib import Path

import pytest
import tomli

from edge.commission.line import LineFault
from edge.commission.scan.search import Result, Search
from edge.commission.scan.settings import make_plan
from edge.config import options
from edge.field.line.port import TtyPort
from edge.field.line.rtu import read_request
from edge.field.profiles.loader import FOLDER, all_profiles, load_profile
from hil.plant.faces import pcs_face
from hil.pty import PtyBus
from hil.slave import Slave
from tests.hil.site_kit import Kit

pytestmark = pytest.mark.hil
LIMIT_S = 30.0


async def scan_tty(path: str, **words: str) -> Result:
    plan = make_plan(path, **words)
    return await asyncio.wait_for(
        Search(plan, lambda setting: TtyPort(setting.port(path)), all_profiles()[0]).run(), LIMIT_S
    )


def test_the_right_baud_is_found_among_four_and_every_byte_on_the_wire_is_a_read() -> None:
    async def main() -> Result:
        kit = Kit()
        bus = PtyBus("slow", 38_400, kit.slow)
        heard: list[bytes] = []
        for slave in kit.slow:
            answer = slave.receive
            slave.receive = lambda frame, answer=answer: (heard.append(frame), answer(frame))[1]
        bus.start()
        result = await scan_tty(bus.path, bauds="9600,19200,115200,38400", parities="N", units="1-3")
        bus.stop()
        assert bus.garbage_bytes == 3 * 3 * 8  # three wrong settings, three addresses: one question each
        masters = [frame for frame in heard if len(frame) == 8]
        assert len(masters) > 20 and {frame[1] for frame in masters} <= {3, 4}
        return result

    result = asyncio.run(main())
    assert str(result.found[0].setting) == "38400 8N1"
    assert [found.identity.best for found in result.found] == ["soltaro-rack-c", "sungrow-sg", "eastron-sdm630"]


def test_another_master_on_a_real_tty_is_heard_before_anything_is_sent() -> None:
    async def main() -> tuple[Result, bytes]:
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)

        async def poll() -> None:
            while True:
                os.write(ours, read_request(1, 3, 0, 2))
                await asyncio.sleep(1)

        master = asyncio.create_task(poll())
        result = await scan_tty(os.ttyname(theirs))
        master.cancel()
        try:
            sent = os.read(ours, 100)
        except BlockingIOError:
            sent = b""
        os.close(ours)
        os.close(theirs)
        return result, sent

    result, sent = asyncio.run(main())
    assert result.verdict == "busy" and sent == b"" and result.sent_count == 0
    assert "function 3 for address 1" in result.heard


def test_a_port_that_a_controller_owns_is_not_opened() -> None:
    async def main() -> None:
        ours, theirs = os.openpty()
        path = os.ttyname(theirs)
        port = TtyPort(options.Port(name="a", path=path))
        port.open(lambda data: None)
        with pytest.raises(LineFault, match="is the edge service"):
            await scan_tty(path)
        port.close()
        os.close(ours)
        os.close(theirs)

    asyncio.run(main())


def test_the_command_prints_json_on_stdout_and_progress_on_stderr_and_ends_with_0() -> None:
    async def main() -> tuple[int, bytes, bytes]:
        bus = PtyBus("fast", 115_200, Kit().fast)
        bus.start()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge", "scan", bus.path, "--baud", "115200", "--units", "1-3", "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await asyncio.wait_for(process.communicate(), LIMIT_S)
        bus.stop()
        return process.returncode or 0, out, error

    code, out, error = asyncio.run(main())
    data = json.loads(out)
    assert code == 0 and data["verdict"] == "found" and b"listening" in error
    assert data["devices"][0]["how"] == "identified" and data["devices"][0]["profiles"] == ["abb-b23"]
    site = tomli.loads(data["site_file"])
    assert site["port"][0]["baud"] == 115_200 and [device["address"] for device in site["device"]] == [1, 2]


OWN = """
[identify]
addr = 1
fc = 3
count = 16
type = "str"
match = "^Tidewatt"
example = "Tidewatt HX-9"
"""


def test_the_profiles_beside_the_site_file_are_used_and_a_broken_one_is_named_and_left_out(tmp_path: Path) -> None:
    """As the configuration finds them: profiles/ID.toml beside the site file, which need not be there yet."""
    folder, site = tmp_path / "profiles", tmp_path / "site.toml"
    folder.mkdir()
    whole = (FOLDER / "sinexcel-pcs-30.toml").read_text()
    (folder / "own-pcs.toml").write_text(whole + OWN)
    (folder / "broken.toml").write_text(whole.replace('kind = "pcs"', 'kind = "pc"'))
    (folder / "abb-b23.toml").write_text((FOLDER / "abb-b23.toml").read_text())

    async def main() -> list[tuple[int, bytes, bytes]]:
        kit = Kit()
        slave = Slave(load_profile("own-pcs", str(site)), 2, pcs_face(kit.site, kit.unit), "pcs1")
        bus = PtyBus("fast", 115_200, [slave])
        bus.start()
        told = []
        for where in (["-c", str(site)], []):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "edge", "scan", bus.path, "--baud", "115200", "--units", "2", "--json", *where,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, error = await asyncio.wait_for(process.communicate(), LIMIT_S)
            told.append((process.returncode or 0, out, error))
        bus.stop()
        return told

    (code, out, error), (_, unaided, silence) = asyncio.run(main())
    data = json.loads(out)
    assert code == 0 and data["devices"][0]["how"] == "identified" and data["devices"][0]["profiles"] == ["own-pcs"]
    assert tomli.loads(data["site_file"])["device"][0]["profile"] == "own-pcs"
    said = error.decode()
    assert "broken.toml: profile.kind = 'pc'" in said and "ships with the program" in said
    assert "1 profile of the site is used too" in said and b"of the site" not in silence
    assert json.loads(unaided)["devices"][0]["profiles"] != ["own-pcs"]
