"""Ranges streamed from a real server: what goes wrong on the way ends in one of our errors, never in wrong bytes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.session import get_session

from datomfs.errors import DatomfsError, ObjectChanged, ObjectMissing, StoreDenied, StoreUnreachable
from datomfs.model.location import Location
from datomfs.model.s3 import Addressing, S3Settings
from datomfs.store.s3 import S3Store
from tests import faults
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.fault_rules import Answer, Fault
from tests.s3_server import REGION, S3Server
from tests.store.range_server import make_authority, range_server

KEY = "dm/0123456789abcdef.parquet"
BODY = bytes(range(256)) * 2000
START, LENGTH = 1000, 400_000
PART = BODY[START : START + LENGTH]


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3_server) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> Iterator[str]:
    name = s3_server.create_bucket(f"stream-{uuid.uuid4().hex}")
    open_store(s3_server, s3_server.endpoint, name).put(KEY, BODY)
    yield name
    s3_server.delete_bucket(name)


@pytest.fixture
def store(proxy: FaultProxy, bucket: str) -> S3Store:
    """A store behind the proxy, by the same prefix each time."""
    return open_store(proxy.server, proxy.endpoint, bucket)


def open_store(server: S3Server, endpoint: str, bucket: str, **settings: Any) -> S3Store:
    session = boto3.Session(server.access_key, server.secret_key, region_name=REGION)
    return S3Store(Location("s3", bucket, "a/prefix"), S3Settings(endpoint=endpoint, **settings), session, stall_s=1.5)


def read(store: S3Store, key: str = KEY, start: int = START, length: int = LENGTH) -> tuple[bytes, DatomfsError | None]:
    """What came of a range in one request, and why no more came."""
    buffer, came = memoryview(bytearray(100_000)), b""
    try:
        with closing(store.open_range(key, start, length)) as stream:
            while count := stream.readinto(buffer):
                came += buffer[:count]
    except DatomfsError as error:
        return came, error
    return came, None


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.s3
@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (faults.status(500, "InternalError"), StoreUnreachable, "the server answered 500 InternalError"),
        (faults.status(503, "SlowDown"), StoreUnreachable, "the server answered 503 SlowDown"),
        (faults.status(301, "PermanentRedirect"), StoreUnreachable, "the server answered 301 a redirection"),
        (faults.expired, StoreDenied, "the credentials have expired (ExpiredToken)"),
        (faults.missing, ObjectMissing, KEY),
        (faults.hang_up, StoreUnreachable, "without response"),
        (faults.Stall(), StoreUnreachable, "no answer in time"),
        (faults.short(10), StoreUnreachable, "another range"),
        (faults.shifted(7), StoreUnreachable, "another range"),
        (faults.whole_body, StoreUnreachable, "another range"),
    ],
)
def test_an_answer_that_is_none_gives_no_byte(
    store: S3Store, proxy: FaultProxy, fault: Fault, kind: type[DatomfsError], told: str
) -> None:
    proxy.inject(fault, kind="RANGE", times=1)
    came, error = read(store)
    assert b"" == came
    assert kind is type(error)
    assert told in error.what
    assert (PART, None) == read(store)
    assert 2 == proxy.counts["RANGE"]


@pytest.mark.s3
def test_a_redirection_to_another_region_names_it(store: S3Store, proxy: FaultProxy) -> None:
    proxy.inject(lambda exchange: exchange.reply(Answer(301, {"x-amz-bucket-region": "eu-west-1"}, b"")), kind="RANGE")
    _, error = read(store)
    assert error is not None
    assert "the bucket lies in the region eu-west-1, not in us-east-1" in error.what


@pytest.mark.s3
@pytest.mark.parametrize("fault", [faults.cut(123_456), faults.Stall(123_456), faults.dribble(0.05, after=123_456)])
def test_an_answer_that_breaks_off_gives_what_came(store: S3Store, proxy: FaultProxy, fault: Fault) -> None:
    proxy.inject(fault, kind="RANGE", times=1)
    with closing(store.open_range(KEY, START, LENGTH)) as stream:
        buffer = memoryview(bytearray(LENGTH))
        count = stream.readinto(buffer)
    assert 123_456 <= count < 123_500
    assert PART[:count] == buffer[:count]
    assert (PART, None) == read(store)


@pytest.mark.s3
def test_a_reset_gives_nothing_wrong(store: S3Store, proxy: FaultProxy) -> None:
    """The kernel may throw away what came before a reset."""
    proxy.inject(faults.cut(123_456, reset=True), kind="RANGE", times=1)
    came, error = read(store)
    assert PART[: len(came)] == came
    assert StoreUnreachable is type(error)
    assert (PART, None) == read(store)


@pytest.mark.s3
def test_a_range_goes_on_where_it_broke_off(store: S3Store, proxy: FaultProxy) -> None:
    proxy.inject(faults.cut(100_000), kind="RANGE", times=3)
    came = b""
    while len(came) < LENGTH:
        came += read(store, start=START + len(came), length=LENGTH - len(came))[0]
    assert PART == came
    assert 4 == proxy.counts["RANGE"]


@pytest.mark.s3
def test_an_answer_whose_length_is_too_small_leaves_nothing_for_the_next(store: S3Store, proxy: FaultProxy) -> None:
    """What lies in the connection behind an answer is no answer to what is asked there next."""

    def overlong(exchange: Any) -> None:
        exchange.reply(exchange.answer())
        exchange.send(b"HTTP/1.1 206 Partial Content\r\n\r\n")

    proxy.inject(overlong, kind="RANGE", times=1)
    assert (PART, None) == read(store)
    came, error = read(store)
    # What arrives behind the look at the connection is answered with an error: the range is asked for again then.
    assert (came, error) == (PART, None) or (came == b"" and isinstance(error, StoreUnreachable))
    assert (PART, None) == read(store)


@pytest.mark.s3
def test_another_object_is_told_before_its_first_byte(store: S3Store, s3_server: S3Server) -> None:
    key = "dm/changing.parquet"
    store.put(key, BODY)
    etag = store.head(key).etag
    store.put(key, BODY[::-1])
    with pytest.raises(ObjectChanged):
        store.open_range(key, 0, 10, if_match=etag)
    store.delete(key)
    with pytest.raises(ObjectMissing):
        store.open_range(key, 0, 10, if_match=etag)


# -- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.s3
@pytest.mark.parametrize(
    "name",
    ["a b", "a (1)", "a+b", "100%", "%20", "né", "ne\u0301", "a&b=c?d#e", "a~b", "a'b\"c", "a;b,c:d@e$f!g*h", "表"],
)
def test_keys_of_all_kinds_are_asked_for_as_they_are(store: S3Store, name: str) -> None:
    key = f"{name}/{name}.parquet"
    store.put(key, BODY)
    assert (PART, None) == read(store, key)


@pytest.mark.s3
def test_credentials_are_renewed_between_two_ranges(proxy: FaultProxy, bucket: str) -> None:
    """As botocore's own are that come from a role: each request is signed with those that are valid then."""
    server, given = proxy.server, []

    def refresh() -> dict[str, str]:
        given.append(server.reader_access_key if len(given) else server.access_key)
        secret = server.reader_secret_key if len(given) > 1 else server.secret_key
        soon = "2020-01-01T00:00:00Z" if len(given) < 2 else "2100-01-01T00:00:00Z"
        return {"access_key": given[-1], "secret_key": secret, "token": "", "expiry_time": soon}

    botocore_session = get_session()
    far = {**refresh(), "expiry_time": "2100-01-01T00:00:00Z"}
    credentials = RefreshableCredentials.create_from_metadata(far, refresh, "test")
    botocore_session._credentials = credentials  # as botocore's documentation of custom providers does
    session = boto3.Session(botocore_session=botocore_session, region_name=REGION)
    store = S3Store(Location("s3", bucket, "a/prefix"), S3Settings(endpoint=proxy.endpoint), session)
    asked: list[str] = []

    def note(exchange: Any) -> None:
        asked.append(exchange.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
        exchange.reply(exchange.answer())

    proxy.inject(note, kind="RANGE")
    assert (PART, None) == read(store)
    credentials._expiry_time = credentials._expiry_time.replace(year=2020)  # time passes
    assert (PART, None) == read(store)
    assert [server.access_key, server.reader_access_key] == asked


@pytest.mark.s3
def test_who_pays_is_said_with_each_range(proxy: FaultProxy, bucket: str) -> None:
    said: list[str | None] = []

    def note(exchange: Any) -> None:
        said.append(exchange.headers["x-amz-request-payer"])
        exchange.reply(exchange.answer())

    proxy.inject(note, kind="RANGE")
    for settings in ({}, {"requester_pays": True}):
        assert (PART, None) == read(open_store(proxy.server, proxy.endpoint, bucket, **settings))
    assert [None, "requester"] == said


# -- where it is asked -----------------------------------------------------------------------------------------------

WHERE = [
    ("bucket", "auto", None, "https://bucket.s3.eu-west-1.amazonaws.com"),
    ("bucket", "path", None, "https://s3.eu-west-1.amazonaws.com/bucket"),
    ("bucket", "virtual", None, "https://bucket.s3.eu-west-1.amazonaws.com"),
    ("dotted.bucket", "auto", None, "https://s3.eu-west-1.amazonaws.com/dotted.bucket"),
    ("bucket", "auto", "http://127.0.0.1:9000", "http://127.0.0.1:9000/bucket"),
    ("bucket", "auto", "https://s3.example.org/", "https://s3.example.org/bucket"),
    ("bucket", "virtual", "https://s3.example.org:444", "https://bucket.s3.example.org:444"),
]


@pytest.mark.parametrize(("bucket", "addressing", "endpoint", "expected"), WHERE)
def test_bytes_are_asked_for_where_boto3_asks(
    bucket: str, addressing: Addressing, endpoint: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the bucket's own region: the global endpoint answers for others with redirections."""
    asked: list[str] = []
    monkeypatch.setattr("datomfs.store.s3.RangeClient", lambda base, *_, **__: asked.append(base) or FakeRanges())
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    settings = S3Settings(endpoint=endpoint, addressing=addressing)
    store = S3Store(Location("s3", bucket, "a/prefix"), settings, session)
    store.open_range(KEY, 0, 1).close()
    assert [expected] == asked


class FakeRanges:
    """Gives a stream of nothing."""

    def get(self, *arguments: object) -> FakeRanges:
        return self

    def close(self) -> None:
        """Nothing."""


@pytest.mark.parametrize("named_by", ["settings", "AWS_CA_BUNDLE", "profile"])
def test_authorities_are_those_that_boto3_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    authority = make_authority(tmp_path)
    settings: Callable[[str], S3Settings] = lambda endpoint: S3Settings(endpoint=endpoint)  # noqa: E731
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text(f"[default]\nca_bundle = {authority.bundle}\n" if named_by == "profile" else "")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    if named_by == "settings":
        settings = lambda endpoint: S3Settings(endpoint=endpoint, ca_bundle=str(authority.bundle))  # noqa: E731
    elif named_by == "AWS_CA_BUNDLE":
        monkeypatch.setenv(named_by, str(authority.bundle))
    with range_server(authority.server_side) as server:
        endpoint = settings(f"https://127.0.0.1:{server.server_port}")
        store = S3Store(Location("s3", "bucket"), endpoint, boto3.Session("key", "secret", region_name=REGION))
        assert (BODY[:100], None) == read(store, start=0, length=100)
