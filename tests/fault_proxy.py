"""A proxy in front of a real S3 server that passes requests through unchanged, apart from those a rule picks.

What it does to the picked ones stands in `tests.faults`. Signatures cover the Host header, so it is forwarded as it
was sent: the server takes the proxy's name for its own. One thread for each connection, on 127.0.0.1 alone.
"""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.fault_rules import Answer, Fault, Request, Rule
from tests.s3_server import S3Server

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}
_ABORT = struct.pack("ii", 1, 0)
_UPSTREAM_S = 30.0


class FaultProxy:
    """A running proxy; made by `fault_proxy`. Rules may be changed while requests are under way."""

    def __init__(self, server: S3Server, seed: int) -> None:
        self.server = server
        self.client = server.client()
        self.stopping = threading.Event()
        self.counts: Counter[str] = Counter()
        """Requests by kind."""
        self.bytes_sent = 0
        """Of bodies, as far as they were sent."""
        self._rules: list[Rule] = []
        self._chance = random.Random(seed)  # noqa: S311 - faults that can be repeated, no secret
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        proxy = self

        class Handler(Exchange):
            pass

        Handler.proxy = proxy
        self._http = _Listener(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def endpoint(self) -> str:
        """Its URL, to be used as the server's."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def connections(self) -> int:
        """How many clients are connected at the moment."""
        with self._lock:
            return len(self._connections)

    def inject(
        self,
        fault: Fault,
        *,
        kind: str | None = None,
        key: str | None = None,
        when: Callable[[Request], bool] = lambda request: True,
        first: int = 1,
        times: int | None = None,
        probability: float = 1.0,
    ) -> Rule:
        """Have a fault happen from now on; of several rules that pick a request the oldest counts.

        `kind` is that of a request, `key` the end of its key, `when` looks at the rest.
        """

        def picks(request: Request) -> bool:
            return kind in (None, request.kind) and (key is None or request.key.endswith(key)) and when(request)

        rule = Rule(fault, picks, first, times, probability)
        with self._lock:
            self._rules.append(rule)
        return rule

    def recover(self) -> None:
        """No more faults. Answers that are stalled stay so, until they are released or the proxy stops."""
        with self._lock:
            self._rules.clear()

    def find_fault(self, request: Request) -> Fault | None:
        """What a request meets; counts it."""
        with self._lock:
            self.counts[request.kind] += 1
            return next((rule.fault for rule in self._rules if rule.takes(request, self._chance)), None)

    def count_bytes(self, count: int) -> None:
        """Something was sent."""
        with self._lock:
            self.bytes_sent += count

    def connected(self, connection: socket.socket) -> None:
        """A client has come."""
        with self._lock:
            self._connections.add(connection)

    def disconnected(self, connection: socket.socket) -> None:
        """A client has gone."""
        with self._lock:
            self._connections.discard(connection)

    def cut_all(self) -> None:
        """End every connection there is, idle or not."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End everything, whatever is stalled."""
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self.cut_all()
        self._http.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients go away in the middle: that is what this is for."""


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer, for faults to spoil. `proxy` is set by the proxy itself."""

    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _upstream: http.client.HTTPConnection | None = None

    def setup(self) -> None:
        """A client has connected."""
        super().setup()
        self.proxy.connected(self.connection)

    def finish(self) -> None:
        """It has gone."""
        self.proxy.disconnected(self.connection)
        if self._upstream is not None:
            self._upstream.close()
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the suite is quiet."""

    def _exchange(self) -> None:
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked = _parse(self)
        fault = self.proxy.find_fault(self.asked)
        try:
            if fault is None:
                self.reply(self.answer())
            else:
                fault(self)
        except OSError:  # the client has gone, or the server
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = _exchange  # noqa: N815 - http.server looks for these names

    def answer(self) -> Answer:
        """What the server says to this request."""
        while True:
            is_new = self._upstream is None
            upstream = self._upstream = self._upstream or self._connect()
            try:
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders(self.sent or None)
                response = upstream.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException):
                upstream.close()
                self._upstream = None
                if is_new:
                    raise OSError("the server behind the proxy does not answer") from None
                continue  # it had ended an idle connection
            headers = {name: value for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP}
            return Answer(response.status, headers, body)

    def whole(self) -> bytes:
        """The whole object that was asked for, past all conditions."""
        return self.proxy.client.get_object(Bucket=self.asked.bucket, Key=self.asked.key)["Body"].read()

    def reply(self, answer: Answer) -> None:
        """Send an answer as it is."""
        self.send_head(answer)
        self.send(answer.body)

    def send_head(self, answer: Answer) -> None:
        """Status and headers; the length is that of the body unless the headers name another."""
        self.send_response_only(answer.status)
        headers = dict(answer.headers)
        if self.command != "HEAD" or "Content-Length" not in headers:
            headers.setdefault("Content-Length", str(len(answer.body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, data: bytes) -> None:
        """Some of the body."""
        if self.command != "HEAD":
            self.connection.sendall(data)
            self.proxy.count_bytes(len(data))

    def hang_up(self, *, reset: bool = False) -> None:
        """End the connection: in order, or with a reset."""
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            self.rfile.close()
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> http.client.HTTPConnection:
        at = urlsplit(self.proxy.server.endpoint)
        return http.client.HTTPConnection(at.hostname or "", at.port, timeout=_UPSTREAM_S)


@contextmanager
def fault_proxy(server: S3Server, *, seed: int = 0) -> Iterator[FaultProxy]:
    """A proxy in front of `server` without rules, stopped afterwards in every outcome."""
    proxy = FaultProxy(server, seed)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


def _parse(exchange: Exchange) -> Request:
    path = unquote(urlsplit(exchange.path).path)
    bucket, _, key = path.lstrip("/").partition("/")
    span = None
    if wanted := exchange.headers.get("Range"):
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        span = int(first), int(last)
    return Request(exchange.command, bucket, key, span)
