"""The line editor and the session: garbage, real PTY, real UNIX socket, slow peers."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.options import Console
from edge.console.client import ask, run_client
from edge.console.line import LINE_MAX_BYTES, LineEditor
from edge.console.server import SESSIONS_MAX, ConsoleServer
from edge.console.session import OUT_HIGH_BYTES, READ_BYTES, Manner, Session
from edge.console.view import Told
from edge.console.words import complete
from edge.errors import ConfigFault
from tests.console.plant import FakePlant

PROMPT = b"gw-1[RUN]> "


def type_in(data: bytes) -> tuple[LineEditor, bytes, list[tuple[str, str]]]:
    editor, echo = LineEditor(complete), b""
    events: list[tuple[str, str]] = []
    for byte in data:
        step = editor.feed(byte)
        echo += step.echo
        if step.event:
            events.append((step.event, step.text))
    return editor, echo, events


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"why\r", "why"),
        (b"wh\x08hy\r", "why"),
        (b"wx\x7fhy\r", "why"),
        (b"hy\x01w\x05 \r", "why "),
        (b"hy\x1b[D\x1b[Dw\r", "why"),
        (b"whyx\x1b[D\x1b[3~\r", "why"),
        (b"show bus\x17limits\r", "show limits"),
        (b"nonsense\x15why\r", "why"),
        (b"whynot\x02\x02\x02\x0b\r", "why"),
        (b"hy\x1b[Hw\x1b[F!\r", "why!"),
        (b"hy\x1bOHw\r", "why"),
        (b"sh\ts\t\r", "show status "),
        (b"wh\xc3\xa9\x00y\r", "why"),
        (b"w\x1b[999999999999hy\r", "w99999hy"),
    ],
)
def test_keys_edit_the_line(keys: bytes, line: str) -> None:
    assert type_in(keys)[2] == [("line", line)]


def test_a_key_costs_one_byte_and_cr_lf_is_one_enter() -> None:
    editor, echo, events = type_in(b"why\r\n")
    assert echo == b"why\r\n" and events == [("line", "why")] and editor.text == ""


def test_history_goes_up_and_down_and_keeps_the_draft() -> None:
    _, _, events = type_in(b"one\rtwo\rdra\x1b[A\x1b[A\x1b[A\r\x1b[A\x1b[A\x1b[B\r")
    assert [text for _, text in events] == ["one", "two", "one", "one"]
    editor, _, _ = type_in(b"one\rdra\x1b[A\x1b[B")
    assert editor.text == "dra"


def test_the_line_limit_rings() -> None:
    editor, echo, _ = type_in(b"x" * (LINE_MAX_BYTES + 5))
    assert len(editor.text) == LINE_MAX_BYTES and echo.endswith(b"\a" * 5)


def render(echo: bytes) -> str:
    """A terminal of one endless line: what the echo leaves on the screen since the last newline."""
    cells: list[str] = []
    cursor = 0
    for char in echo.decode("ascii").rsplit("\n", 1)[-1].replace("\x1b[H\x1b[2J", ""):
        if char == "\b":
            cursor -= 1
        elif char == "\r":
            cursor = 0
        elif char != "\a":
            cells[cursor : cursor + 1] = [char]
            cursor += 1
        assert cursor >= 0
    return "".join(cells).rstrip()


PLAIN_KEYS = [bytes([n]) for n in range(1, 127) if n not in (0x0C, 0x1B, 0x3F, 0x09)]
ESCAPE_KEYS = [b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[3~"]
KEYS = st.sampled_from(PLAIN_KEYS + ESCAPE_KEYS * 4)


@settings(max_examples=300)
@given(st.lists(KEYS, max_size=80).map(b"".join))
def test_the_screen_shows_the_line_whatever_is_typed(keys: bytes) -> None:
    editor, echo, _ = type_in(keys)
    assert render(echo) == editor.text.rstrip()


def run(
    scenario: Callable[[FakePlant, socket.socket, Session], Awaitable[None]], manner: Manner = "lines"
) -> FakePlant:
    plant = FakePlant()

    async def go() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        fd = ours.detach()
        session = Session(plant, fd, fd, manner=manner)
        session.start()
        with theirs:
            await asyncio.wait_for(scenario(plant, theirs, session), 10)
        session.close()

    asyncio.run(go())
    return plant


async def read_until(peer: socket.socket, end: bytes) -> bytes:
    loop, data = asyncio.get_running_loop(), b""
    while not data.endswith(end):
        chunk = await asyncio.wait_for(loop.sock_recv(peer, 4096), 5)
        assert chunk, data
        data += chunk
    return data


async def turn(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=400), max_size=8), st.sampled_from(["lines", "terminal"]))
def test_garbage_never_ends_a_session_badly(chunks: list[bytes], manner: Manner) -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        for chunk in chunks:
            if not session.is_open:
                return
            await asyncio.get_running_loop().sock_sendall(peer, chunk)
            await turn(3)
        await turn()

    run(scenario, manner)


def test_lines_for_machines_end_with_a_dot_or_refused_with_a_bang_and_json_is_one_line() -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        peer.send(b"why\n")
        assert (await read_until(peer, b"\n.\n")).startswith(b"mode RUN; wish of rule\n")
        peer.send(b"show status --json\n")
        data = json.loads(await read_until(peer, b"\n"))["data"]
        assert data["site"] == "gw-1" and data["uplink"]["grid_quality"] == "none"
        peer.send(b"x" * (LINE_MAX_BYTES + 1) + b"\nhold\n")
        assert b"line too long" in await read_until(peer, b"hold asked; see: why\n.\n")
        peer.send(b"watch status\n")
        assert b"needs a terminal" in await read_until(peer, b"\n!\n")
        peer.send(b"quit\n")
        await turn()
        assert not session.is_open

    assert [request.kind for request in run(scenario).asked] == ["hold"]


def test_a_word_that_has_to_ask_answers_later_and_what_was_typed_meanwhile_comes_after_it() -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        plant.told = asyncio.get_running_loop().create_future()
        peer.send(b"read pcs1 soc\nhold\n")
        await turn()
        assert plant.bench_asked == [("read", ("pcs1", "soc"))] and plant.asked == []
        plant.told.set_result(Told(["soc 50 %"], ["x"]))
        assert await read_until(peer, b"why\n.\n") == b"soc 50 %\n.\nhold asked; see: why\n.\n"
        plant.told = None
        peer.send(b"check pcs1 --json\n")
        assert json.loads(await read_until(peer, b"\n")) == {"ok": True, "data": {"word": "check"}}

    run(scenario)


@pytest.mark.parametrize("manner", ["lines", "terminal"])
def test_ctrl_c_stops_a_word_that_asks(manner: Manner) -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        plant.told = asyncio.get_running_loop().create_future()
        peer.send(b"sign-test run\r")
        await turn()
        peer.send(b"\x03")
        assert b"stopped" in await read_until(peer, b"stopped\r\n" + PROMPT if manner == "terminal" else b"!\n")
        assert plant.bench_cancelled_count == 1 and session.is_open

    run(scenario, manner)


def test_a_peer_that_leaves_ends_what_it_asked_for() -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        plant.told = asyncio.get_running_loop().create_future()
        peer.send(b"sign-test run\n")
        await turn()
        peer.close()
        await turn()
        assert plant.bench_cancelled_count == 1 and not session.is_open

    run(scenario)


def test_a_fault_of_a_word_that_asks_is_shown_and_the_session_goes_on() -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        plant.told = asyncio.get_running_loop().create_future()
        plant.told.set_exception(RuntimeError("oh"))
        peer.send(b"read poc\nwhy\n")
        shown = await read_until(peer, b"\n.\n")
        assert shown.startswith(b"fault of this program: RuntimeError") and b"\n!\nmode RUN" in shown

    run(scenario)


def test_a_terminal_has_prompt_help_completion_and_watch_that_any_key_ends() -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        assert (await read_until(peer, PROMPT)).startswith(b"\r\nTidewatt Edge console")
        peer.send(b"show ?")
        shown = await read_until(peer, PROMPT + b"show ")
        assert b"show limits" in shown and b"resume" not in shown
        peer.send(b"\x15wat\t1\r")
        assert b"\x1b[H" in await read_until(peer, b"\x1b[J")
        peer.send(b"x")
        assert await read_until(peer, PROMPT) == b"\r\n" + PROMPT
        peer.send(b"y\x0c")
        assert await read_until(peer, b"y" + b"\x1b[H\x1b[2J" + PROMPT + b"y")
        peer.send(b"\x15\x04")
        await turn()
        assert not session.is_open

    run(scenario, "terminal")


def test_a_peer_that_never_reads_is_no_longer_read_and_costs_bounded_memory() -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        for _ in range(2_000):
            try:
                peer.send(b"show status --json\n" * 20)
            except BlockingIOError:
                await turn(2)
        assert len(session._out) < OUT_HIGH_BYTES + 8_192
        total = 0
        while total < 1_000_000:
            total += len(await asyncio.get_running_loop().sock_recv(peer, 65_536))

    run(scenario)


@pytest.mark.parametrize(("manner", "line"), [("terminal", b"\r"), ("terminal", b"why\r?"), ("lines", b"why\n")])
def test_a_flood_costs_a_line_per_turn_of_the_loop_and_nothing_is_lost(manner: Manner, line: bytes) -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        flood = line * 400
        peer.send(flood + b"\n")
        most_count, read_bytes = 0, 0
        for _ in range(5_000):
            before_count = plant.looked_count
            await asyncio.sleep(0)
            most_count = max(most_count, plant.looked_count - before_count)
            assert len(session._pending) <= READ_BYTES
            with contextlib.suppress(BlockingIOError):
                read_bytes += len(peer.recv(65_536))
        assert most_count <= 2  # the word and the prompt after it
        assert plant.looked_count >= 400 and not session._pending
        peer.send(b"hold\n")
        await turn()

    assert [request.kind for request in run(scenario, manner).asked] == ["hold"]


def test_frames_for_a_slow_peer_are_dropped() -> None:
    async def scenario(plant: FakePlant, peer: socket.socket, session: Session) -> None:
        session._watch_s = 1
        session._out += b"waiting"
        session._show_frame()
        assert session.dropped_frames_count == 1

    run(scenario, "terminal")


@pytest.mark.hil
def test_a_session_on_a_real_pty_and_its_return_after_quit(tmp_path: Path) -> None:
    async def go() -> None:
        master, slave = os.openpty()
        os.set_blocking(master, False)
        server = ConsoleServer(Console(port=os.ttyname(slave)), FakePlant())
        server.start()
        assert server.port_fault == ""
        data = b""
        os.write(master, b"sh lim\r\x04")
        for _ in range(500):
            await asyncio.sleep(0.01)
            with contextlib.suppress(BlockingIOError):
                data += os.read(master, 4096)
            if not server.session_count():
                break
        assert data.count(PROMPT) == 2 and b"sh lim\r\nmay charge" in data
        assert server._reopen is not None
        server.close()
        os.close(master)
        os.close(slave)

    asyncio.run(go())


def test_a_missing_tty_is_tried_again_and_a_bad_socket_path_is_a_config_fault(tmp_path: Path) -> None:
    async def go() -> None:
        server = ConsoleServer(Console(port=str(tmp_path / "ttyNone")), FakePlant())
        server.start()
        assert server.port_fault and server._reopen is not None
        server.close()
        with pytest.raises(ConfigFault, match=r"console\.socket"):
            ConsoleServer(Console(socket=str(tmp_path / "no" / "sock")), FakePlant()).start()

    asyncio.run(go())


@pytest.mark.hil
def test_the_unix_socket_serves_the_client_and_survives_a_stale_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "console.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(path)
    plant = FakePlant()

    async def go() -> None:
        server = ConsoleServer(Console(socket=path), plant)
        server.start()
        assert os.stat(path).st_mode & 0o007 == 0  # noqa: PTH116 - Path.stat is not for async code
        with pytest.raises(ConfigFault):
            ConsoleServer(Console(socket=path), plant).start()
        shown = await asyncio.to_thread(ask, path, "show limits")
        assert "may charge" in shown.text and shown.ok and not shown.text.endswith(".\n")
        assert json.loads((await asyncio.to_thread(ask, path, "why --json")).text)["ok"]
        refused = await asyncio.to_thread(ask, path, "why\nhold", 1.0)
        assert "takes no arguments" in refused.text and not refused.ok
        assert await asyncio.to_thread(run_client, path, ["hold", "smoke"]) == 0
        assert await asyncio.to_thread(run_client, path, ["jump", "high"]) == 2
        assert await asyncio.to_thread(run_client, path, ["jump", "--json"]) == 2
        assert await asyncio.to_thread(run_client, path, ["hold" + "x" * 900]) == 2
        read_fd, write_fd = os.pipe()
        os.write(write_fd, b"show bus\n")
        os.close(write_fd)
        with os.fdopen(read_fd) as piped:
            monkeypatch.setattr(sys, "stdin", piped)
            assert await asyncio.to_thread(run_client, path) == 0
        peers = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(SESSIONS_MAX + 2)]
        for peer in peers:
            peer.connect(path)
            await asyncio.sleep(0.01)
        assert server.session_count() == SESSIONS_MAX and server.refused_count >= 2
        for peer in peers:
            peer.close()
        server.close()

    asyncio.run(go())
    assert [(r.kind, r.reason) for r in plant.asked] == [("hold", "smoke")]
    assert not Path(path).exists()
    shown = capsys.readouterr()
    assert "hold asked" in shown.out and '{"ok":false' in shown.out and "unknown word 'jump high'" not in shown.out
    assert "unknown word 'jump high'" in shown.err and "line too long" in shown.err
    assert run_client(path, ["why"]) == 1
