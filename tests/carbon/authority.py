"""A time stamp authority on this machine: `openssl ts` behind HTTP, or answers that are none."""

import http.server
import shutil
import subprocess
import threading
from pathlib import Path

CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""
EXTENSIONS = (
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n"
)


def have_openssl() -> bool:
    return shutil.which("openssl") is not None


class Authority:
    """`answer` replaces what it would say; b"" closes without a word."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.answer = folder, None
        self.roots = folder / "ca.pem"
        _make(folder)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply = outer.answer if outer.answer is not None else _stamp(outer.folder, body)
                self.send_response(200 if reply else 500)
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *parts: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _run(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def _make(folder: Path) -> None:
    key, request, extensions = folder / "tsa.key", folder / "tsa.csr", folder / "tsa.ext"
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    _run(
        *new, "/CN=Test root", "-x509", "-days", "30", "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")
    )
    _run(*new, "/CN=Test authority", "-keyout", str(key), "-out", str(request))
    extensions.write_text(EXTENSIONS)
    _run(
        "x509", "-req", "-days", "30", "-in", str(request), "-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"),
        "-CAcreateserial", "-extfile", str(extensions), "-out", str(folder / "tsa.pem"),
    )  # fmt: skip
    (folder / "serial").write_text("01\n")
    (folder / "ts.cnf").write_text(CONFIG.format(folder=folder))


def _stamp(folder: Path, query: bytes) -> bytes:
    (folder / "query").write_bytes(query)
    _run(
        "ts",
        "-reply",
        "-config",
        str(folder / "ts.cnf"),
        "-queryfile",
        str(folder / "query"),
        "-out",
        str(folder / "reply"),
    )
    return (folder / "reply").read_bytes()
