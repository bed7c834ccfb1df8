"""An HTTP server of one object, for the client that streams ranges: plain or with TLS, and as a proxy for another.

Not an S3 server: it looks at no signature, so it can stand for the parts of the world between us and S3.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

BODY = bytes(range(256)) * 400


@dataclass(frozen=True, slots=True)
class Seen:
    """A request: its first line's target, its headers in lower case, and the number of its connection."""

    method: str
    target: str
    headers: dict[str, str]
    connection: int


class Handler(BaseHTTPRequestHandler):
    """Answers with the range asked for, unless the server has another answer in store."""

    server: RangeServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """A connection has come."""
        super().setup()
        self.number = self.server.connected(self.connection)

    def finish(self) -> None:
        """It has gone."""
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """A range."""
        self.see()
        answer = self.server.answers.popleft() if self.server.answers else Handler.right
        with suppress(OSError):
            answer(self)

    def do_CONNECT(self) -> None:
        """A tunnel to whatever is named."""
        self.see()
        self.close_connection = True
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as other, suppress(OSError):
            self.send_response_only(200)
            self.end_headers()
            pair = {self.connection: other, other: self.connection}
            while True:
                for ready in select.select(list(pair), [], [])[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    pair[ready].sendall(data)

    def see(self) -> None:
        """Note the request."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(self.command, self.path, headers, self.number))

    def right(self, **more: str) -> None:
        """What was asked for."""
        self.head(**more)
        self.wfile.write(self.part)

    def head(self, **more: str) -> None:
        """The headers of it."""
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        self.part = BODY[int(first) : int(last) + 1]
        self.send_response_only(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(self.part) - 1}/{len(BODY)}")
        self.send_header("Content-Length", str(len(self.part)))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


class RangeServer(ThreadingHTTPServer):
    """A running server. `answers` are for the next requests, in order; all others get what they ask for."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.answers: deque[Callable[[Handler], object]] = deque()
        self.seen: list[Seen] = []
        self._sockets: list[socket.socket] = []

    def connected(self, connection: socket.socket) -> int:
        """Note a connection; its number, from 1."""
        self._sockets.append(connection)
        return len(self._sockets)

    def cut_all(self) -> None:
        """End every connection."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients go away, or do not trust us."""


@contextmanager
def range_server(tls: ssl.SSLContext | None = None) -> Iterator[RangeServer]:
    """A server, ended afterwards."""
    server = RangeServer(tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.cut_all()
        server.server_close()


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of the test's own, in a file, and a server's context with a certificate from it."""

    bundle: Path
    server_side: ssl.SSLContext


def make_authority(folder: Path) -> Authority:
    """An authority and a certificate for 127.0.0.1; skips the test where cryptography is not installed."""
    x509 = pytest.importorskip("cryptography.x509", reason="cryptography makes the certificates of the test")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.now(UTC)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]

    def certificate(subject: str, key: int, extension: x509.ExtensionType, *, critical: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder(name("authority"), name(subject), keys[key].public_key(), 1 + key)
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        return builder.add_extension(extension, critical=critical).sign(keys[0], hashes.SHA256())

    ours = certificate("authority", 0, x509.BasicConstraints(ca=True, path_length=None), critical=True)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    theirs = certificate("server", 1, address, critical=False)
    pem = serialization.Encoding.PEM
    bundle, chain = folder / "authority.pem", folder / "server.pem"
    bundle.write_bytes(ours.public_bytes(pem))
    key = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(key + theirs.public_bytes(pem))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(chain)
    return Authority(bundle, server_side)
