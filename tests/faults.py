"""What an S3 server, or the network before it, may do to an answer: to be given to `FaultProxy.inject`.

Each is a function that makes a fault or a fault itself. Those that wait do so until they are released, or the proxy
stops; nothing here sleeps.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Event

from tests.fault_proxy import Exchange
from tests.fault_rules import Answer, Fault

_FLIP = bytes(255 - value for value in range(256))


def status(number: int, code: str) -> Fault:
    """An error of S3, with its XML; the server is not asked."""
    body = f"<Error><Code>{code}</Code><Message>injected</Message><RequestId>0</RequestId></Error>".encode()

    def fault(exchange: Exchange) -> None:
        exchange.reply(Answer(number, {"Content-Type": "application/xml"}, body))

    return fault


def missing(exchange: Exchange) -> None:
    """The object is not there."""
    status(404, "NoSuchKey")(exchange)


def expired(exchange: Exchange) -> None:
    """The credentials have run out."""
    status(403, "ExpiredToken")(exchange)


class Stall:
    """An answer that stops after so many bytes of its body, or before its headers with None, until it is released."""

    def __init__(self, after: int | None = None) -> None:
        self._after = after
        self.released = Event()

    def __call__(self, exchange: Exchange) -> None:
        """Stop, and go on when it may."""
        answer = exchange.answer()
        if self._after is None:
            self._wait(exchange)
            exchange.reply(answer)
            return
        exchange.send_head(answer)
        exchange.send(answer.body[: self._after])
        self._wait(exchange)
        exchange.send(answer.body[self._after :])

    def release(self) -> None:
        """Let go on what is stalled; what comes later does not stop any more."""
        self.released.set()

    def _wait(self, exchange: Exchange) -> None:
        while not self.released.wait(0.05):
            if exchange.proxy.stopping.is_set():
                raise ConnectionAbortedError


def cut(after: int, *, reset: bool = False) -> Fault:
    """The connection ends in the middle of the body, in order or with a reset."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.answer()
        exchange.send_head(answer)
        exchange.send(answer.body[: min(after, len(answer.body) // 2)])
        exchange.hang_up(reset=reset)

    return fault


def hang_up(exchange: Exchange) -> None:
    """The connection ends without an answer."""
    exchange.hang_up()


def short(by: int) -> Fault:
    """A complete answer, which says the range that was asked for, and whose body and length are shorter."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.answer()
        body = answer.body[:-by]
        exchange.reply(replace(answer.with_headers(Content_Length=str(len(body))), body=body))

    return fault


def shifted(by: int) -> Fault:
    """Another range of the same length, said so honestly."""

    def fault(exchange: Exchange) -> None:
        assert exchange.asked.span is not None
        answer, whole = exchange.answer(), exchange.whole()
        start = max(0, min(exchange.asked.span[0] + by, len(whole) - len(answer.body)))
        body = whole[start : start + len(answer.body)]
        said = f"bytes {start}-{start + len(body) - 1}/{len(whole)}"
        exchange.reply(replace(answer.with_headers(Content_Range=said), body=body))

    return fault


def whole_body(exchange: Exchange) -> None:
    """The whole object with 200, whatever range was asked for."""
    answer, body = exchange.answer(), exchange.whole()
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Range"}
    exchange.reply(Answer(200, {**headers, "Content-Length": str(len(body))}, body))


def wrong_bytes(exchange: Exchange) -> None:
    """As many bytes as there should be, under the etag of the right ones, and each of them another."""
    answer = exchange.answer()
    exchange.reply(replace(answer, body=answer.body.translate(_FLIP)))


def dribble(every_s: float, after: int = 0) -> Fault:
    """The body byte by byte from `after` on, until the client goes or the proxy stops."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.answer()
        exchange.send_head(answer)
        exchange.send(answer.body[:after])
        for place in range(after, len(answer.body)):
            if exchange.proxy.stopping.wait(every_s):
                raise ConnectionAbortedError
            exchange.send(answer.body[place : place + 1])

    return fault
