"""A proxy on 127.0.0.1 that makes a server on this machine look far away, and counts what passes.

Each request waits before it is passed on, as does each new connection; a connection's answers pass no faster than a
cap. It is a process of its own (this module is its program) and listens on no port but the one it serves; its owner
speaks to it through its standard input, and it ends when that closes. HTTP/1.1 without TLS. It changes no byte and
knows nothing of S3; what goes wrong between the two ends is theirs: here a connection just closes.

Answers are moved by splice(2), which never brings them into Python: one core carries several times what readers take.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

_PIECE = 1 << 20
_CAPPED_PIECE = 256 << 10
_CREDIT_S = 0.005
_LAG_S = 0.05
_REQUEST_PIECE = 1 << 18
_MAX_HEAD = 1 << 16
_BACKLOG = 512
_END_S = 10.0
_HEAD_END = b"\r\n\r\n"
_REQUEST_LINE = re.compile(rb"([A-Z]+) \S+ HTTP/1\.[01]\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """How far away the server looks: seconds for each request and each connection, bytes a second on one connection.

    A cap of 0 is none.
    """

    delay_s: float = 0.0
    cap: float = 0.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What has passed since the last reset.

    `received` are the bytes that went to clients, heads of answers included. `connections` are those opened, and
    `widest` how many were open at once; `requests` has a number for each method.
    """

    received: int = 0
    connections: int = 0
    widest: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)

    @property
    def request_count(self) -> int:
        """All requests, whatever their method."""
        return sum(self.requests.values())


# -- the owner's side ----------------------------------------------------------------------------------------------


class LatencyProxy:
    """A running proxy in front of a port of this machine. Made by `start_proxy`; `stop` ends it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.port = port
        self._process = process
        self._turn = threading.Lock()

    @property
    def pid(self) -> int:
        """The process that carries the bytes."""
        return self._process.pid

    @property
    def endpoint(self) -> str:
        """The proxy as an HTTP client names it."""
        return f"http://127.0.0.1:{self.port}"

    def set_line(self, line: Line) -> None:
        """From now on the server looks that far away, on open connections too."""
        self._ask({"delay_s": line.delay_s, "cap": line.cap})

    def traffic(self) -> Traffic:
        """What has passed since the last reset."""
        return Traffic(**self._ask({}))

    def reset(self) -> None:
        """Count from zero. Connections that are open stay so, and are what `widest` begins with."""
        self._ask({"reset": True})

    def stop(self) -> None:
        """End it, with every connection through it."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, question: Mapping[str, object]) -> Any:
        with self._turn:
            asking, answering = self._process.stdin, self._process.stdout
            if asking is None or answering is None:
                raise RuntimeError("the proxy was started without pipes")
            asking.write(f"{json.dumps(question)}\n")
            asking.flush()
            answer = answering.readline()
        if not answer:
            raise RuntimeError("the proxy has ended")
        return json.loads(answer)


def start_proxy(upstream: int, line: Line | None = None) -> LatencyProxy:
    """A proxy in front of port `upstream` of this machine, ready. It ends with this process at the latest."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.latency_proxy", str(upstream)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for whoever waits for answers, who ends this in its own order
    )
    first = process.stdout.readline() if process.stdout else ""
    proxy = LatencyProxy(process, int(first or 0))
    if not first:
        proxy.stop()
        raise RuntimeError("the proxy did not start")
    if line is not None:
        proxy.set_line(line)
    return proxy


# -- the process ---------------------------------------------------------------------------------------------------


class RequestHeads:
    """Finds where requests begin in what a client sends on one connection."""

    def __init__(self) -> None:
        self._head = b""
        self._body_left = 0
        self._in_chunks = False

    def feed(self, piece: bytes) -> list[str]:
        """The methods of the requests whose heads end in this piece; their bodies are passed over."""
        found: list[str] = []
        rest = piece
        while rest:
            if self._in_chunks:
                rest = self._skip_chunks(rest)
            elif self._body_left:
                skipped = min(self._body_left, len(rest))
                self._body_left -= skipped
                rest = rest[skipped:]
            else:
                rest = self._read_head(rest, found)
        return found

    def _skip_chunks(self, rest: bytes) -> bytes:
        # Clients wait for the answer before they ask again: the last chunk is the end of what they sent.
        self._head = (self._head + rest)[-5:]
        if self._head == b"0\r\n\r\n":
            self._in_chunks = False
            self._head = b""
        return b""

    def _read_head(self, rest: bytes, found: list[str]) -> bytes:
        head, end, after = (self._head + rest).partition(_HEAD_END)
        if not end:
            self._head = head[-_MAX_HEAD:]
            return b""
        self._head = b""
        if line := _REQUEST_LINE.match(head + _HEAD_END):
            found.append(line[1].decode())
        length = _LENGTH.search(head)
        self._body_left = int(length[1]) if length else 0
        self._in_chunks = _CHUNKED.search(head) is not None
        return after


class _Proxy:
    """All connections of the process, their line and their counters; two threads serve each connection."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._line = Line()
        self._lock = threading.Lock()
        self._open = 0
        self._traffic = Traffic()
        self._requests: Counter[str] = Counter()

    def answer(self, question: Mapping[str, object]) -> dict[str, object]:
        """Do what the owner says, and tell what has passed."""
        with self._lock:
            if question.get("reset"):
                self._traffic = Traffic(widest=self._open)
                self._requests.clear()
            if "cap" in question:
                self._line = Line(float(str(question["delay_s"])), float(str(question["cap"])))
            now = self._traffic
            return {
                "received": now.received,
                "connections": now.connections,
                "widest": now.widest,
                "requests": dict(self._requests),
            }

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the process ends."""
        while True:
            client, _ = listener.accept()
            with self._lock:
                self._open += 1
                now = self._traffic
                self._traffic = replace(now, connections=now.connections + 1, widest=max(now.widest, self._open))
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            with client, socket.socket() as server:
                time.sleep(self._line.delay_s)
                server.connect(("127.0.0.1", self._upstream))
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                answers = threading.Thread(target=self._carry_answers, args=(server, client), daemon=True)
                answers.start()
                with suppress(OSError):
                    self._carry_requests(client, server)
                with suppress(OSError):
                    server.shutdown(socket.SHUT_WR)
                answers.join()
        except OSError:  # no server: the client sees its connection close
            pass
        finally:
            with self._lock:
                self._open -= 1

    def _carry_requests(self, client: socket.socket, server: socket.socket) -> None:
        heads = RequestHeads()
        while piece := client.recv(_REQUEST_PIECE):
            if methods := heads.feed(piece):
                with self._lock:
                    self._requests.update(methods)
                time.sleep(self._line.delay_s)
            server.sendall(piece)

    def _carry_answers(self, server: socket.socket, client: socket.socket) -> None:
        taking, giving = os.pipe()
        try:
            fcntl.fcntl(giving, fcntl.F_SETPIPE_SZ, _PIECE)
            self._splice(server.fileno(), taking, giving, client.fileno())
        except OSError:  # one end is gone
            pass
        finally:
            os.close(taking)
            os.close(giving)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _splice(self, server: int, taking: int, giving: int, client: int) -> None:
        due = asked = time.monotonic()
        while count := os.splice(server, giving, _CAPPED_PIECE if self._line.cap else _PIECE):
            if cap := self._line.cap:
                # Time in which the server had nothing to send is not saved up, beyond a few milliseconds; time in
                # which this thread slept too long, as on a busy machine, is made up for.
                now = time.monotonic()
                due = max(due, now - (_CREDIT_S if now - asked > _CREDIT_S else _LAG_S)) + count / cap
                time.sleep(max(0.0, due - now))
            with self._lock:
                self._traffic = replace(self._traffic, received=self._traffic.received + count)
            while count:
                count -= os.splice(taking, client, count)
            asked = time.monotonic()


def main(answers: IO[str], questions: IO[str]) -> int:
    """Print the port, then answer each line of the owner's with one of ours, until there are no more."""
    parser = argparse.ArgumentParser(prog="latency_proxy", description=__doc__)
    parser.add_argument("upstream", type=int, metavar="PORT")
    proxy = _Proxy(parser.parse_args().upstream)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(_BACKLOG)
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        print(listener.getsockname()[1], file=answers, flush=True)
        for question in questions:
            print(json.dumps(proxy.answer(json.loads(question))), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdout, sys.stdin))
