"""Files of the cloud that are missing or wrong: `edge check` and `edge-fleet` name them all; `edge run` runs without."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.cloud.access import Access
from hil.demo.site import demo_tables, example_config, render
from tests.cloud.authority import OPENSSL, PASSWORDS, Authority, password_file
from tests.cloud.broker import WHY_NONE, running, wait_until

needs_openssl = pytest.mark.skipif(not OPENSSL, reason="the openssl command is not installed")


def site(folder: Path, port: int = 1883, **cloud: object) -> Path:
    """A site whose ttys do not exist: its controller has nobody to ask, and a cloud to tell it."""
    paths = {one.name: str(folder / f"tty-{one.name}") for one in example_config().port}
    tables = demo_tables(folder, paths, port, {"kind": "none"})
    tables["cloud"] |= cloud
    (folder / "site.toml").write_text(render(tables))
    return folder / "site.toml"


def edge(*words: str, module: str = "edge") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)


def test_a_missing_ca_and_password_are_named_at_once_with_the_rest(tmp_path: Path) -> None:
    file = site(tmp_path, tls=True, ca_file="/no/ca.pem", username="gw", password_file="/no/password")
    file.write_text(file.read_text().replace('profile = "soltaro-rack-c"', 'profile = "no-such-bms"'))
    done = edge("check", "-c", str(file))
    assert done.returncode == 2 and "Traceback" not in done.stderr and "3 problems" in done.stderr
    assert f"{file}: cloud.ca_file: /no/ca.pem: No such file or directory" in done.stderr
    assert f"{file}: cloud.password_file: /no/password: No such file or directory" in done.stderr
    assert "no-such-bms" in done.stderr


def test_options_that_contradict_each_other_are_refused_by_run_as_well(tmp_path: Path) -> None:
    file = site(tmp_path, ca_file="ca.pem", key_file="key.pem", password_file="password")
    for word in ("check", "run"):
        done = edge(word, "-c", str(file))
        assert done.returncode == 2
        for text in ("cloud.ca_file = 'ca.pem': needs cloud.tls = true", "cloud.key_file = 'key.pem': needs cloud.cert_file",
                     "cloud.password_file = 'password': needs cloud.username"):  # fmt: skip
            assert text in done.stderr


@needs_openssl
def test_what_is_in_the_files_is_looked_at(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    one, other = authority.issue("one"), authority.issue("other")
    rubbish, empty = tmp_path / "rubbish", tmp_path / "empty"
    rubbish.write_bytes(b"\xff\xfe not a certificate\n")
    empty.write_text("\n")
    locked = tmp_path / "locked.key"
    words = ["ec", "-in", str(one.key), "-aes128", "-passout", "pass:word", "-out", str(locked)]
    subprocess.run([str(OPENSSL), *words], check=True, capture_output=True, timeout=30)
    ca = str(authority.ca)

    def faults(**more: str) -> list[str]:
        return list(Access(username="u", tls=True, **{"ca_file": ca, **more}).faults())

    assert not faults() and not faults(cert_file=str(one.cert), key_file=str(one.key))
    assert "must be readable certificates in PEM" in faults(ca_file=str(rubbish))[0]
    assert "must be readable certificates in PEM" in faults(ca_file=str(tmp_path))[0]
    assert "its first line must be a password" in faults(password_file=str(empty))[0]
    assert faults(password_file=str(rubbish))[0].startswith("password_file ")
    for key in (other.key, locked, rubbish):
        assert "the key not encrypted" in faults(cert_file=str(one.cert), key_file=str(key))[0]
    assert "key_file" in faults(cert_file=str(one.cert), key_file="/no/key")[0]
    assert "the key not encrypted" in faults(cert_file=str(one.cert))[0], "no key in it"
    half = tmp_path / "half.pem"
    half.write_bytes(one.cert.read_bytes()[:-30])
    assert f"cert_file {half}: no whole certificate is in it" in faults(cert_file=str(half), key_file=str(one.key))[0]
    half.write_bytes(b"")
    assert f"key_file {half}: no whole private key is in it" in faults(cert_file=str(one.cert), key_file=str(half))[0]
    every = faults(ca_file=str(rubbish), cert_file="/no/cert", password_file=str(empty))
    assert [fault.split(" ")[0] for fault in every] == ["password_file", "ca_file", "cert_file"]
    good = site(tmp_path, tls=True, ca_file=ca, cert_file=str(one.cert), key_file=str(one.key))
    assert edge("check", "-c", str(good)).returncode == 0


def test_the_ingest_refuses_files_and_options_it_cannot_use(tmp_path: Path) -> None:
    base = ("ingest", "--sqlite", str(tmp_path / "fleet.db"))
    done = edge(*base, "--tls", "--ca-file", "/no/ca", "--password-file", "/no/word", module="edge.fleet")
    assert done.returncode == 2 and "ca_file /no/ca: No such file" in done.stderr
    assert "password_file /no/word: No such file" in done.stderr and "--password-file needs --username" in done.stderr
    assert "need --tls" in edge(*base, "--ca-file", "x", module="edge.fleet").stderr


@pytest.mark.hil
@pytest.mark.skipif(bool(WHY_NONE) or not PASSWORDS, reason=WHY_NONE or "mosquitto_passwd is not installed")
def test_a_gateway_with_a_wrong_password_controls_says_so_once_and_connects_when_it_is_put_right(
    tmp_path: Path,
) -> None:
    users = password_file(tmp_path / "users", "gw", "secret")
    lines = f"user root\nlistener {{port}} 127.0.0.1\nallow_anonymous false\npassword_file {users}"
    with running(tmp_path / "broker", lines) as broker:
        word = tmp_path / "word"
        word.write_text("wrong\n")
        file = site(tmp_path, broker.port, username="gw", password_file=str(word))
        with (tmp_path / "edge.log").open("wb") as log:
            command = [sys.executable, "-m", "edge", "run", "-c", str(file)]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            assert wait_until(lambda: "Not authorized" in broker.log() or "away" in said(tmp_path), 10)
            assert wait_until(lambda: "Not authorized" in str(cloud_fault(tmp_path)), 10), said(tmp_path)
            used_s, from_s = cpu_s(process.pid), time.monotonic()
            word.write_text("secret\n")
            assert wait_until(lambda: "cloud state=connected" in said(tmp_path), 30), said(tmp_path)
            share = (cpu_s(process.pid) - used_s) / max(1.0, time.monotonic() - from_s)
            assert share < 0.5 and cloud_fault(tmp_path) == "", "no busy loop"
        finally:
            process.terminate()
            process.wait(15)
    text = said(tmp_path)
    assert text.count("refused: Not authorized; check username, password_file and what the broker allows them") == 1
    assert broker.log().count("New connection from") < 15 and "Traceback" not in text


def said(folder: Path) -> str:
    return (folder / "edge.log").read_text()


def cloud_fault(folder: Path) -> str | None:
    done = edge("console", str(folder / "console.sock"), "show status --json")
    if done.returncode:
        return None
    return str(json.loads(done.stdout)["data"]["uplink"]["cloud_fault"])


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
