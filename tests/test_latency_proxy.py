"""The proxy of tests/latency_proxy.py, in front of a small server that answers as many bytes as a path asks for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.latency_proxy import LatencyProxy, Line, RequestHeads, start_proxy


class _Answers(BaseHTTPRequestHandler):
    """`GET /1000` gives a thousand bytes; a PUT gives back what it brought."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(b"x" * int(self.path[1:]))

    def do_HEAD(self) -> None:
        self._send(b"")

    def do_PUT(self) -> None:
        self._send(self.rfile.read(int(self.headers["Content-Length"])))

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def proxy() -> Iterator[LatencyProxy]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = start_proxy(server.server_port)
    yield proxy
    proxy.stop()
    server.shutdown()
    server.server_close()


@pytest.fixture
def near(proxy: LatencyProxy) -> LatencyProxy:
    """The proxy without delay or cap, its counters at zero."""
    proxy.set_line(Line())
    proxy.reset()
    return proxy


@contextmanager
def connected(proxy: LatencyProxy) -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", proxy.port)
    try:
        yield connection
    finally:
        connection.close()


def ask(connection: HTTPConnection, method: str, path: str, body: bytes | None = None) -> bytes:
    connection.request(method, path, body)
    return connection.getresponse().read()


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# -- what passes ---------------------------------------------------------------------------------------------------


def test_bytes_pass_unchanged_both_ways(near: LatencyProxy) -> None:
    body = bytes(range(256)) * 8192
    with connected(near) as connection:
        assert body == ask(connection, "PUT", "/any", body)


def test_what_is_counted_is_what_a_client_received_heads_included(near: LatencyProxy) -> None:
    with socket.create_connection(("127.0.0.1", near.port)) as client, client.makefile("rb") as answer:
        client.sendall(b"GET /3000000 HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = len(answer.read())
    assert received > 3_000_000
    assert received == near.traffic().received


def test_requests_are_counted_by_method_whatever_their_bodies_hold(near: LatencyProxy) -> None:
    with connected(near) as connection:
        ask(connection, "GET", "/5")
        ask(connection, "HEAD", "/")
        ask(connection, "PUT", "/any", b"GET / HTTP/1.1\r\n\r\n" * 40_000)
        ask(connection, "GET", "/5")
    traffic = near.traffic()
    assert {"GET": 2, "HEAD": 1, "PUT": 1} == traffic.requests
    assert 4 == traffic.request_count
    assert 1 == traffic.connections


def test_a_reset_forgets_everything_that_has_passed(near: LatencyProxy) -> None:
    with connected(near) as connection:
        ask(connection, "GET", "/5")
        near.reset()
        assert (0, 0, {}) == (near.traffic().received, near.traffic().connections, near.traffic().requests)
        ask(connection, "GET", "/5")
        assert {"GET": 1} == near.traffic().requests


def test_the_widest_moment_is_remembered(near: LatencyProxy) -> None:
    with connected(near) as first, connected(near) as second:
        ask(first, "GET", "/5")
        ask(second, "GET", "/5")
    assert near.traffic().widest >= 2


def test_a_server_that_is_not_there_closes_the_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = start_proxy(unused.getsockname()[1])
        try:
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                assert b"" == client.recv(1)
        finally:
            proxy.stop()


def test_it_ends_when_it_is_told_to() -> None:
    proxy = start_proxy(1)
    proxy.stop()
    assert not Path(f"/proc/{proxy.pid}").exists()


# -- how far away the server looks ---------------------------------------------------------------------------------


def test_each_request_and_each_connection_waits(near: LatencyProxy) -> None:
    delay_s = 0.05
    near.set_line(Line(delay_s))
    with connected(near) as connection:
        assert seconds_of(lambda: ask(connection, "GET", "/5")) >= 2 * delay_s
        assert seconds_of(lambda: ask(connection, "GET", "/5")) >= delay_s


def test_requests_on_several_connections_wait_at_the_same_time(near: LatencyProxy) -> None:
    near.set_line(Line(delay_s=0.2))

    def once(_: int) -> None:
        with connected(near) as connection:
            ask(connection, "GET", "/5")

    with ThreadPoolExecutor(8) as pool:
        together = seconds_of(lambda: list(pool.map(once, range(8))))
    assert together < 8 * 0.4 / 2


def test_a_body_in_several_pieces_waits_once(near: LatencyProxy) -> None:
    near.set_line(Line(delay_s=0.2))
    with connected(near) as connection:
        taken = seconds_of(lambda: ask(connection, "PUT", "/any", bytes(16 << 20)))
    assert taken < 16 * 0.2


def test_a_connection_is_no_faster_than_its_cap_and_several_add_up(near: LatencyProxy) -> None:
    size, cap = 1_000_000, 4e6
    near.set_line(Line(cap=cap))

    def fetch(_: int = 0) -> None:
        with connected(near) as connection:
            ask(connection, "GET", f"/{size}")

    with ThreadPoolExecutor(4) as pool:
        alone, four = seconds_of(fetch), seconds_of(lambda: list(pool.map(fetch, range(4))))
    assert alone >= 0.8 * size / cap  # a few milliseconds and a piece in flight are free
    assert four < 3 * alone


# -- where requests begin ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_requests_are_found_however_they_are_cut(step: int) -> None:
    sent = (
        b"PUT /a HTTP/1.1\r\nContent-Length: 6\r\n\r\nGET / "
        + b"HEAD /b HTTP/1.1\r\nHost: here\r\n\r\n"
        + b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    heads = RequestHeads()
    found = [method for start in range(0, len(sent), step) for method in heads.feed(sent[start : start + step])]
    assert ["PUT", "HEAD", "PUT"] == found
