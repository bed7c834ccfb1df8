"""A git host for tests: `git http-backend` behind Python's HTTP server on 127.0.0.1, for people with a token."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

USER = "x-access-token"


class _Handler(BaseHTTPRequestHandler):
    """One CGI run per request (gitprotocol-http(5), git-http-backend(1))."""

    protocol_version = "HTTP/1.1"
    root: Path
    token: str

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the suite is quiet."""

    def do_GET(self) -> None:
        """The refs of a repository."""
        self._serve(b"")

    def do_POST(self) -> None:
        """A fetch or a push."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._read_chunks()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve(body)

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _serve(self, body: bytes) -> None:
        expected = base64.b64encode(f"{USER}:{self.token}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self._reply(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            return
        url = urlsplit(self.path)
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REMOTE_USER": USER,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        command = ["git", "http-backend"]
        answer = subprocess.run(command, input=body, capture_output=True, env=environment, check=True).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._reply(int(headers.pop("Status", "200 OK").split()[0]), headers, content)

    def _reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def git_host(root: Path, token: str) -> Iterator[str]:
    """Serve the bare repositories in `root`; gives the URL under which they lie."""
    handler = type("Handler", (_Handler,), {"root": root, "token": token})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
