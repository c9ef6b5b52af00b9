"""A private certificate authority for tests, made with the openssl command; and brokers that ask for what it issues."""

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

OPENSSL = shutil.which("openssl")
PASSWORDS = shutil.which("mosquitto_passwd")
LISTENER = """\
user root
listener {{port}} 127.0.0.1
cafile {ca}
certfile {cert}
keyfile {key}
"""
RULES = """\
[ca]
default_ca = it
[it]
database = {folder}/index
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
"""
TWO_DAYS = timedelta(days=2)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Issued:
    cert: Path
    key: Path


class Authority:
    """Issues certificates for servers and clients. `since`, `until`: its own dates, and theirs if nothing else is said."""

    def __init__(
        self, folder: Path, name: str = "test ca", *, since: datetime | None = None, until: datetime | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._since, self._until = since or now(), until or now() + TWO_DAYS
        (folder / "index").touch()
        (folder / "rules").write_text(RULES.format(folder=folder))
        self.ca, self._key = folder / "ca.pem", folder / "ca.key"
        request = folder / "ca.csr"
        self._run("req", "-subj", f"/CN={name}", "-out", request, *_new_key(self._key))
        usage = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
        self._sign(request, self.ca, usage, self._since, self._until, "-selfsign")

    def issue(
        self,
        name: str,
        alternative: str = "",
        subject: str = "",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Issued:
        """`alternative`: what the certificate is for, e.g. IP:127.0.0.1; empty: a client. `subject`: else than the name."""
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request = self._folder / f"{name}.csr"
        self._run("req", "-subj", f"/CN={subject or name}", "-out", request, *_new_key(issued.key))
        usage = f"subjectAltName={alternative}\n" if alternative else "extendedKeyUsage=clientAuth\n"
        usage += "authorityKeyIdentifier=keyid\n"
        self._sign(request, issued.cert, usage, since or self._since, until or self._until, "-cert", self.ca)
        return issued

    def _sign(self, request: Path, to: Path, usage: str, since: datetime, until: datetime, *more: str | Path) -> None:
        extensions = request.with_suffix(".ext")
        extensions.write_text(usage)
        self._run("ca", "-batch", "-notext", "-config", self._folder / "rules", "-in", request, "-out", to,
                  "-keyfile", self._key, "-extfile", extensions, "-startdate", f"{since:%Y%m%d%H%M%SZ}",
                  "-enddate", f"{until:%Y%m%d%H%M%SZ}", *more)  # fmt: skip

    def _run(self, *words: str | Path) -> None:
        assert OPENSSL is not None
        done = subprocess.run([OPENSSL, *map(str, words)], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr

    def listener(self, server: Issued, *more: str) -> str:
        """Lines of a mosquitto listener with this certificate; {port} is left to the broker."""
        lines = LISTENER.format(ca=self.ca, cert=server.cert, key=server.key)
        return lines + "\n".join(more or ("allow_anonymous true",))


def _new_key(path: Path) -> tuple[str | Path, ...]:
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path


def password_file(path: Path, user: str, password: str) -> Path:
    """A file of mosquitto's own making."""
    assert PASSWORDS is not None
    subprocess.run([PASSWORDS, "-c", "-b", str(path), user, password], check=True, capture_output=True, timeout=30)
    return path
