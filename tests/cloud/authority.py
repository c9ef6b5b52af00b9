"""A private certificate authority for tests, made with the openssl command; and brokers that ask for what it issues."""

import shutil
import subprocess
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Issued:
    cert: Path
    key: Path


class Authority:
    """Issues certificates for servers and clients."""

    def __init__(self, folder: Path, name: str = "test ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.ca, self._key = folder / "ca.pem", folder / "ca.key"
        self._run("req", "-x509", "-days", "2", "-subj", f"/CN={name}", "-out", self.ca, *_new_key(self._key))

    def issue(self, name: str, alternative: str = "", subject: str = "") -> Issued:
        """`alternative`: what the certificate is for, e.g. IP:127.0.0.1; empty: a client. `subject`: else than the name."""
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        self._run("req", "-subj", f"/CN={subject or name}", "-out", request, *_new_key(issued.key))
        extensions.write_text(f"subjectAltName={alternative}\n" if alternative else "extendedKeyUsage=clientAuth\n")
        self._run("x509", "-req", "-days", "2", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial",
                  "-extfile", extensions, "-out", issued.cert)  # fmt: skip
        return issued

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
