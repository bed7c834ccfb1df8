"""How ranges come over connections: kept, lost, wrapped in TLS, led through proxies."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from botocore.credentials import ReadOnlyCredentials

from datomfs.store.s3_stream import Broken, RangeClient
from tests.store.range_server import BODY, Authority, Handler, RangeServer, make_authority, range_server


class Keys:
    """Credentials that are there."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("key", "secret", None)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """None but those a test names."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[RangeServer]:
    with range_server() as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure_server(authority: Authority) -> Iterator[RangeServer]:
    with range_server(authority.server_side) as server:
        yield server


def client_of(
    server: RangeServer,
    authority: Authority | None = None,
    *,
    stall_s: float = 10.0,
    clock: Callable[[], float] = time.time,
) -> RangeClient:
    scheme = "http" if authority is None else "https"
    bundle = None if authority is None else str(authority.bundle)
    base = f"{scheme}://127.0.0.1:{server.server_port}/bucket"
    return RangeClient(base, "us-east-1", Keys(), bundle, {}, stall_s=stall_s, clock=clock)


def read(client: RangeClient, start: int = 1000, length: int = 50_000) -> bytes:
    """All of a range, in steps that do not fit anything."""
    buffer, parts = memoryview(bytearray(7777)), []
    with closing(client.get("key", start, length, None)) as stream:
        while count := stream.readinto(buffer):
            parts.append(bytes(buffer[:count]))
    return b"".join(parts)


def read_until_broken(client: RangeClient) -> tuple[bytes, str]:
    """What came of a range, and why no more came."""
    buffer, came = memoryview(bytearray(7777)), b""
    with closing(client.get("key", 1000, 50_000, None)) as stream:
        try:
            while count := stream.readinto(buffer):
                came += buffer[:count]
        except Broken as error:
            return came, str(error)
    raise AssertionError("all of it came")


def check_read(client: RangeClient) -> None:
    assert BODY[1000:51_000] == read(client)


# -- connections that are kept ---------------------------------------------------------------------------------------


def test_a_connection_is_used_again(server: RangeServer) -> None:
    client = client_of(server)
    for _ in range(3):
        check_read(client)
    assert [1, 1, 1] == [seen.connection for seen in server.seen]


def test_two_at_once_need_two_connections_and_both_are_kept(server: RangeServer) -> None:
    client = client_of(server)
    with closing(client.get("key", 0, 10, None)), closing(client.get("key", 0, 10, None)):
        pass
    with closing(client.get("key", 0, 10, None)) as one, closing(client.get("key", 0, 10, None)) as other:
        for stream in (one, other):
            assert 10 == stream.readinto(memoryview(bytearray(10)))
    check_read(client)
    assert 5 == len(server.seen)
    assert 4 == max(seen.connection for seen in server.seen)


def test_a_connection_with_an_answer_half_read_is_not(server: RangeServer) -> None:
    client = client_of(server)
    with closing(client.get("key", 0, 50_000, None)) as stream:
        assert 10 == stream.readinto(memoryview(bytearray(10)))
    check_read(client)
    assert [1, 2] == [seen.connection for seen in server.seen]


def test_a_connection_that_was_ended_while_idle_is_replaced_without_a_word(server: RangeServer) -> None:
    client = client_of(server)
    check_read(client)
    server.cut_all()
    check_read(client)
    assert [1, 2] == [seen.connection for seen in server.seen]


def test_a_connection_that_was_idle_for_long_is_not_tried(server: RangeServer) -> None:
    """Who lost it on the way says nothing, so whoever used it would wait in vain."""
    now = [1000.0]
    client = client_of(server, clock=lambda: now[0])
    for moment in (1000.0, 1019.0, 1040.0, 500.0):
        now[0] = moment
        check_read(client)
    assert [1, 1, 2, 3] == [seen.connection for seen in server.seen]


def test_an_answer_that_ends_the_connection_is_read_to_its_end(server: RangeServer) -> None:
    server.answers.append(lambda handler: handler.right(Connection="close"))
    client = client_of(server)
    check_read(client)
    check_read(client)
    assert [1, 2] == [seen.connection for seen in server.seen]


# -- answers that do not come ----------------------------------------------------------------------------------------


@pytest.fixture(params=["plain", "tls"])
def either(request: pytest.FixtureRequest) -> tuple[RangeServer, Authority | None]:
    """A server, and the authority that its client needs."""
    if request.param == "plain":
        return request.getfixturevalue("server"), None
    return request.getfixturevalue("secure_server"), request.getfixturevalue("authority")


def test_nothing_at_all_is_given_up_in_time(either: tuple[RangeServer, Authority | None]) -> None:
    server, authority = either
    over = threading.Event()
    server.answers.append(lambda handler: over.wait(30))
    with pytest.raises(Broken, match="no answer in time"):
        read(client_of(server, authority, stall_s=0.2))
    over.set()


def test_a_body_that_stops_gives_what_came_and_is_given_up_in_time(
    either: tuple[RangeServer, Authority | None],
) -> None:
    server, authority = either
    over = threading.Event()

    def stop(handler: Handler) -> None:
        handler.head()
        handler.wfile.write(handler.part[:30_000])
        over.wait(30)

    server.answers.append(stop)
    came, error = read_until_broken(client_of(server, authority, stall_s=0.2))
    over.set()
    assert (BODY[1000:31_000], "no answer in time") == (came, error)


def test_a_body_that_stops_and_goes_on_loses_nothing(either: tuple[RangeServer, Authority | None]) -> None:
    """What came before the pause is given, or the range breaks off there: it is never passed over."""
    server, authority = either
    go_on = threading.Event()

    def pause(handler: Handler) -> None:
        handler.head()
        for start in (0, 10_000, 20_000):  # more than came along with the headers
            handler.wfile.write(handler.part[start : start + 10_000])
        go_on.wait(30)
        handler.wfile.write(handler.part[30_000:])

    server.answers.append(pause)
    buffer = memoryview(bytearray(50_000))
    with closing(client_of(server, authority, stall_s=0.3).get("key", 1000, 50_000, None)) as stream:
        count = stream.readinto(buffer)
        assert 30_000 == count
        go_on.set()
        while count < len(buffer):
            count += stream.readinto(buffer[count:])
    assert BODY[1000:51_000] == buffer


def test_a_trickle_gives_what_came_in_time(either: tuple[RangeServer, Authority | None]) -> None:
    server, authority = either
    over = threading.Event()

    def trickle(handler: Handler) -> None:
        handler.head()
        for place in range(len(handler.part)):
            if over.wait(0.01):
                return
            handler.wfile.write(handler.part[place : place + 1])

    server.answers.append(trickle)
    buffer = memoryview(bytearray(50_000))
    with closing(client_of(server, authority, stall_s=0.2).get("key", 1000, 50_000, None)) as stream:
        count = stream.readinto(buffer)
    over.set()
    assert 0 < count < 1000
    assert BODY[1000 : 1000 + count] == buffer[:count]


def test_a_body_that_is_cut_gives_what_came(either: tuple[RangeServer, Authority | None]) -> None:
    server, authority = either

    def cut(handler: Handler) -> None:
        handler.head()
        handler.wfile.write(handler.part[:30_000])
        handler.close_connection = True

    server.answers.append(cut)
    came, _ = read_until_broken(client_of(server, authority))
    assert BODY[1000:31_000] == came


# -- TLS -------------------------------------------------------------------------------------------------------------


def test_a_server_of_a_known_authority_is_read(secure_server: RangeServer, authority: Authority) -> None:
    client = client_of(secure_server, authority)
    check_read(client)
    check_read(client)
    assert [1, 1] == [seen.connection for seen in secure_server.seen]


def test_a_server_of_an_unknown_authority_is_not(
    secure_server: RangeServer, tmp_path: Path, authority: Authority
) -> None:
    other = make_authority(tmp_path)
    with pytest.raises(Broken, match="certificate"):
        read(client_of(secure_server, other))
    assert [] == secure_server.seen


# -- proxies ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def relay(server: RangeServer) -> Iterator[RangeServer]:
    """Another server, to be used as a proxy; what it is asked for it answers itself."""
    with range_server() as relay:
        yield relay


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_plain_http_goes_to_the_proxy_with_the_whole_url(
    server: RangeServer, relay: RangeServer, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("http_proxy", f"{scheme}127.0.0.1:{relay.server_port}")
    check_read(client_of(server))
    (seen,) = relay.seen
    assert f"http://127.0.0.1:{server.server_port}/bucket/key" == seen.target
    assert f"127.0.0.1:{server.server_port}" == seen.headers["host"]
    assert [] == server.seen


def test_https_goes_through_the_proxy_in_a_tunnel(
    secure_server: RangeServer, relay: RangeServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{relay.server_port}")
    client = client_of(secure_server, authority)
    check_read(client)
    check_read(client)
    (seen,) = relay.seen
    assert ("CONNECT", f"127.0.0.1:{secure_server.server_port}") == (seen.method, seen.target)
    assert ["/bucket/key", "/bucket/key"] == [seen.target for seen in secure_server.seen]
    assert f"127.0.0.1:{secure_server.server_port}" == secure_server.seen[0].headers["host"]


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_a_proxy_is_told_who_asks(
    kind: str, request: pytest.FixtureRequest, relay: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, authority = request.getfixturevalue("server"), None
    if kind == "tls":
        server, authority = (request.getfixturevalue(name) for name in ("secure_server", "authority"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://dana:a%20word@127.0.0.1:{relay.server_port}")
    check_read(client_of(server, authority))
    (seen,) = relay.seen
    assert f"Basic {base64.b64encode(b'dana:a word').decode()}" == seen.headers["proxy-authorization"]
    assert all("proxy-authorization" not in seen.headers for seen in server.seen)


@pytest.mark.parametrize("kept", ["127.0.0.1", "127.0.0.1:{port}", "*", "example.org,127.0.0.1"])
def test_what_no_proxy_names_is_reached_directly(
    server: RangeServer, relay: RangeServer, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{relay.server_port}")
    monkeypatch.setenv("no_proxy", kept.format(port=server.server_port))
    check_read(client_of(server))
    assert ([], 1) == (relay.seen, len(server.seen))


def test_a_proxy_that_refuses_is_told(
    secure_server: RangeServer, relay: RangeServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{relay.server_port}")
    monkeypatch.setattr(Handler, "do_CONNECT", lambda handler: handler.send_error(407))
    with pytest.raises(Broken, match="407"):
        read(client_of(secure_server, authority))
