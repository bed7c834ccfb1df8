"""GETs of ranges straight into memory: the way payload bytes come from a bucket (docs/decisions/0009).

`store.s3` owns one of these per store and translates what it raises; everything but bytes (listings, attestations,
puts) stays with boto3, which takes twice the processor time for each byte and four times for each request. Signing and
credentials are botocore's. Knows one bucket's address, no keys of ours and no errors of ours.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import struct
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies

CONNECT_TIMEOUT_S = 5.0
STALL_S = 10.0
"""How long an answer may give nothing before whoever wanted it asks again, from where it broke off."""

_IDLE_CONNECTIONS = 16
_IDLE_S = 20.0
"""How long a connection is kept that nobody uses. What lies between may have forgotten an older one (a firewall, a
laptop that slept or changed its network) and says nothing to whoever still uses it."""
_ERROR_LIMIT = 64 << 10


class Identity(Protocol):
    """Where credentials come from; botocore's renew themselves when they are about to expire."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


class Broken(Exception):
    """There was no answer, or it stopped coming; the text says why."""


@dataclass
class Refused(Exception):
    """The server answered with something else than the bytes asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RangeClient:
    """Ranges of the objects under `base_url`, which names endpoint and bucket. Safe to use from several threads.

    `ca_bundle` is a PEM file, or None for the system's; `headers` go with every request. Proxies are those of the
    environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY). An answer that gives nothing for `stall_s` counts as broken.
    """

    def __init__(
        self,
        base_url: str,
        region: str,
        identity: Identity,
        ca_bundle: str | None,
        headers: Mapping[str, str],
        *,
        stall_s: float = STALL_S,
        clock: Callable[[], float] = time.time,  # goes on while a machine sleeps, as a monotonic one does not
    ) -> None:
        self._base = base_url.rstrip("/")
        self._url = urlsplit(self._base)
        self._region = region
        self._identity = identity
        self._headers = headers
        self._stall_s = stall_s
        self._clock = clock
        self._tls = ssl.create_default_context(cafile=ca_bundle) if self._url.scheme == "https" else None
        # boto3 reads the same variables in the same way, so documents and bytes take one road.
        proxies = ProxyConfiguration(get_environ_proxies(self._base))
        proxy = proxies.proxy_url_for(self._base)
        self._proxy = urlsplit(proxy) if proxy else None
        self._proxy_headers = proxies.proxy_headers_for(proxy) if proxy else {}
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()
        weakref.finalize(self, _close_all, self._idle)

    def get(self, name: str, start: int, length: int, if_match: str | None) -> RangeStream:
        """`length` bytes of an object from `start`, as they come. Raises Broken, Refused, and botocore's own errors."""
        headers = {**self._headers, "Range": f"bytes={start}-{start + length - 1}"}
        if if_match is not None:
            headers["If-Match"] = if_match
        url = f"{self._base}/{quote(name, safe='/~')}"
        request = AWSRequest("GET", url, headers=headers)
        S3SigV4Auth(self._identity.get_frozen_credentials(), "s3", self._region).add_auth(request)
        try:
            connection, sock, response = self._ask(url, dict(request.headers.items()))
        except (OSError, http.client.HTTPException) as error:
            raise Broken(_reason(error)) from error
        stream = RangeStream(self, connection, sock, response, length, self._stall_s)
        if not stream.is_as_asked(start):
            raise stream.refused()
        return stream

    def take_back(self, connection: http.client.HTTPConnection, *, is_clean: bool) -> None:
        """A connection that is used no more; one with an answer half read is of no use to anybody."""
        if is_clean and len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append((self._clock(), connection))
        else:
            connection.close()

    def _ask(
        self, url: str, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, socket.socket, http.client.HTTPResponse]:
        if self._proxy is not None and self._tls is None:
            target, headers = url, {**headers, **self._proxy_headers}
        else:
            target = url.removeprefix(f"{self._url.scheme}://{self._url.netloc}")
        while True:
            connection = self._take_idle()
            is_new = connection is None
            connection = connection or self._connect()
            sock = connection.sock  # a response that ends the connection takes it away from there
            try:
                sock.settimeout(self._stall_s)
                connection.request("GET", target, headers=dict(headers))
                return connection, sock, connection.getresponse()
            except (ConnectionError, http.client.HTTPException):
                connection.close()
                if is_new:
                    raise  # an idle one may have been ended by the server, and says nothing about the next
            except BaseException:
                connection.close()
                raise

    def _take_idle(self) -> http.client.HTTPConnection | None:
        with suppress(IndexError):
            while True:
                since_s, connection = self._idle.pop()
                if 0 <= self._clock() - since_s < _IDLE_S and _is_silent(connection):
                    return connection
                connection.close()
        return None

    def _connect(self) -> http.client.HTTPConnection:
        at = self._proxy or self._url
        host, port = at.hostname or "", at.port or (443 if at.scheme == "https" else 80)
        connection: http.client.HTTPConnection
        if self._tls is None:
            connection = http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT_S, context=self._tls)
            if self._proxy is not None:
                connection.set_tunnel(self._url.hostname or "", self._url.port, self._proxy_headers)
        connection.connect()
        return connection


class RangeStream:
    """An answer whose body is still coming."""

    def __init__(
        self,
        client: RangeClient,
        connection: http.client.HTTPConnection,
        sock: socket.socket,
        response: http.client.HTTPResponse,
        length: int,
        stall_s: float,
    ) -> None:
        self._client = client
        self._connection = connection
        self._sock = sock
        self._response = response
        self._left = length
        self._length = length
        self._stall_s = stall_s
        self._head: bytes | None = None
        self._is_open = True

    def is_as_asked(self, start: int) -> bool:
        """Whether the answer is for the very range that was asked for (RFC 9110 §14.4)."""
        if self._response.status == http.client.OK:  # some servers do so where the range is the whole object
            return start == 0 and self._response.length == self._length
        if self._response.status != http.client.PARTIAL_CONTENT:
            return False
        span, _, _ = (self._response.headers.get("Content-Range") or "").removeprefix("bytes ").partition("/")
        return span == f"{start}-{start + self._length - 1}" and self._response.length == self._length

    def refused(self) -> Refused:
        """What the server said instead; the stream is closed."""
        try:
            body = self._response.read(_ERROR_LIMIT) if self._response.status >= http.client.BAD_REQUEST else b""
        except (OSError, http.client.HTTPException):
            body = b""
        self._left = 0 if self._response.isclosed() else 1
        self.close()
        return Refused(self._response.status, dict(self._response.headers.items()), body)

    def readinto(self, buffer: memoryview) -> int:
        """The next bytes, as many as fit where nothing goes wrong; 0 at the end of the range. Raises Broken.

        Filling the buffer takes `stall_s` at the most for a server that dribbles, after which what came is given.
        """
        wanted = min(len(buffer), self._left)
        if not wanted:
            return 0
        if self._head is None:
            self._head = self._first_bytes(wanted)
        count = min(len(self._head), wanted)
        buffer[:count] = self._head[:count]
        self._head = self._head[count:]
        if count < wanted:
            try:
                received = self._receive(buffer[count:wanted])
            except OSError as error:
                if not count:
                    raise Broken(_reason(error)) from error
                received = 0
            if not received and not count:
                raise Broken("the connection was cut")
            count += received
        self._left -= count
        return count

    def close(self) -> None:
        """Give the connection back, or end it where something of the answer is still to come."""
        if self._is_open:
            self._is_open = False
            self._response.close()
            self._client.take_back(self._connection, is_clean=not self._left and not self._response.will_close)

    def _first_bytes(self, limit: int) -> bytes:
        """What of the body came along with the headers, or comes first."""
        try:
            return self._response.fp.peek(1)[: self._left] if limit else b""
        except OSError as error:
            raise Broken(_reason(error)) from error

    def _receive(self, target: memoryview) -> int:
        if isinstance(self._sock, ssl.SSLSocket):
            until_s, received = time.monotonic() + self._stall_s, 0
            while received < len(target) and time.monotonic() < until_s:
                try:
                    count = self._sock.recv_into(target[received:])
                except OSError:
                    if not received:
                        raise
                    break  # what came is good; whatever it was, the next call meets it again
                if not count:
                    break
                received += count
            return received
        # One system call for all of it, and one hand-over of the interpreter: the kernel's clock bounds the whole.
        self._sock.settimeout(None)
        seconds, rest = divmod(self._stall_s, 1)
        timeout = struct.pack("ll", int(seconds), int(rest * 1e6))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        return self._sock.recv_into(target, len(target), socket.MSG_WAITALL)


def _close_all(idle: deque[tuple[float, http.client.HTTPConnection]]) -> None:
    # Taken out one by one: a thread may still be giving one back.
    with suppress(IndexError):
        while True:
            idle.pop()[1].close()


def _is_silent(connection: http.client.HTTPConnection) -> bool:
    """Whether nothing has come that nobody asked for: the end, or what would be taken for the next answer."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


def _reason(error: Exception) -> str:
    """What a failed connection says of itself; timeouts say little."""
    if isinstance(error, BlockingIOError | TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
