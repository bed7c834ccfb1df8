"""Servers that misbehave: whatever they answer, or fail to, becomes one of our errors and never wrong bytes."""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from datomfs.errors import (
    ConfigInvalid,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    PayloadMismatch,
    SourceChanged,
    StoreDenied,
    StoreMissing,
    StoreUnreachable,
    UnreadableFile,
)
from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.base import ObjectInfo
from datomfs.store.s3 import S3Store
from datomfs.store.source import Source
from tests.store.contract import KEY, sha256


@functools.cache
def session() -> boto3.Session:
    """A session whose keys no server looks at, shared: a new one takes 0.1 s to make its first client."""
    return boto3.Session("key", "secret", region_name="us-east-1")


def open_store(endpoint: str, bucket: str = "bucket") -> S3Store:
    return S3Store(Location("s3", bucket, "a/prefix"), S3Settings(endpoint=endpoint), session())


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[S3Store]:
    """A store whose server answers every request by calling `answer`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer(self)

        do_GET = do_HEAD = do_PUT = do_DELETE = answer  # noqa: N815 - http.server looks for these names

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield open_store(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reply(status: int, body: bytes = b"", promised: int | None = None, **headers: str) -> Answer:
    """An answer of these parts; `promised` is a Content-Length that the body does not keep."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if promised is None else promised))
        for name, value in {"ETag": '"tag"', **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
        request.close_connection = promised is not None

    return answer


def fault(code: str, more: str = "") -> bytes:
    """The XML of an S3 error."""
    return f"<Error><Code>{code}</Code><Message>text</Message>{more}</Error>".encode()


def test_body_cut_in_the_middle_is_no_body() -> None:
    with serving(reply(200, b"01234", promised=10)) as store, pytest.raises(StoreUnreachable):
        store.get(KEY)


def test_range_cut_in_the_middle_is_no_range() -> None:
    with (
        serving(reply(206, b"01234", promised=10, Content_Range="bytes 0-9/100")) as store,
        pytest.raises(StoreUnreachable),
    ):
        store.get_range(KEY, 0, 10)


@pytest.mark.parametrize(
    ("status", "body", "content_range"),
    [
        (206, b"01234", "bytes 0-4/100"),
        (206, b"0123456789", "bytes 10-19/100"),
        (206, b"0123456789", "bytes 5-14/100"),
        (200, b"0123456789" * 10, None),
    ],
    ids=["shorter", "later", "shifted", "ignored"],
)
def test_another_range_than_asked_for_is_refused(status: int, body: bytes, content_range: str | None) -> None:
    headers = {} if content_range is None else {"Content_Range": content_range}
    with serving(reply(status, body, None, **headers)) as store, pytest.raises(StoreUnreachable) as raised:
        store.get_range(KEY, 0, 10)
    assert "it answered another range than bytes 0 to 9" == raised.value.reason


def test_range_of_no_bytes_is_asked_for_as_one() -> None:
    """A range that ends before it begins is none, and would bring the whole object (RFC 9110 §14.1.1)."""
    ranges = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        ranges.append(request.headers["Range"])
        reply(206, b"3", None, Content_Range="bytes 3-3/10")(request)

    with serving(answer) as store:
        assert b"" == store.get_range(KEY, 3, 0)
    assert ["bytes=3-3"] == ranges


def test_whole_object_for_a_range_that_covers_it_is_accepted() -> None:
    with serving(reply(200, b"01234")) as store:
        assert b"01234" == store.get_range(KEY, 0, 10)


def test_body_that_does_not_have_its_checksum_is_refused() -> None:
    checksum = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    answer = reply(200, b"01234", None, x_amz_checksum_sha256=checksum)
    with serving(answer) as store, pytest.raises(StoreUnreachable) as raised:
        store.get(KEY)
    assert "the bytes received do not have the object's checksum" == raised.value.reason


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("body", [b"", fault("SlowDown"), b"<html>not of S3</html>"], ids=["empty", "error", "html"])
def test_faults_of_the_server(status: int, body: bytes) -> None:
    with serving(reply(status, body)) as store:
        with pytest.raises(StoreUnreachable) as raised:
            store.get(KEY)
        assert str(status) in raised.value.reason
        with pytest.raises(StoreUnreachable):
            store.head(KEY)


def test_answer_that_cannot_be_understood() -> None:
    with (
        serving(reply(200, b"one", None, Last_Modified="yesterday")) as store,
        pytest.raises(StoreUnreachable) as raised,
    ):
        store.head(KEY)
    assert "its answer cannot be understood" in raised.value.reason


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirection_to_another_place(status: int) -> None:
    with serving(reply(status, b"", None, Location="http://127.0.0.1:9/")) as store:
        with pytest.raises(StoreUnreachable):
            store.get(KEY)
        with pytest.raises(StoreUnreachable):
            store.head(KEY)


@pytest.mark.parametrize(
    "body",
    [b"<html>welcome</html>", b"welcome", b"", b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>dm/"],
    ids=["page", "text", "nothing", "cut"],
)
def test_listing_that_is_none(body: bytes) -> None:
    with serving(reply(200, body)) as store:
        with pytest.raises(StoreUnreachable):
            list(store.list())
        with pytest.raises(StoreUnreachable):
            store.check()


def test_nobody_listening() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        store = open_store(f"http://127.0.0.1:{held.getsockname()[1]}")
        with pytest.raises(StoreUnreachable) as raised:
            store.get(KEY)
    assert "Could not connect" in raised.value.reason


def test_connection_closed_without_an_answer() -> None:
    def hang_up(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True

    with serving(hang_up) as store, pytest.raises(StoreUnreachable):
        store.get(KEY)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "ExpiredToken", "the credentials have expired (ExpiredToken)"),
        (400, "InvalidToken", "the session token is not valid (InvalidToken)"),
        (403, "RequestTimeTooSkewed", "the clock of this machine is wrong (RequestTimeTooSkewed)"),
        (403, "InvalidObjectState", "the object is archived and must be restored first (InvalidObjectState)"),
        (403, "SomethingNew", "the server answered 403 SomethingNew"),
        (405, "MethodNotAllowed", "the server answered 405 MethodNotAllowed"),
    ],
)
def test_denials_say_why(status: int, code: str, expected: str) -> None:
    with serving(reply(status, fault(code))) as store, pytest.raises(StoreDenied) as raised:
        store.get(KEY)
    assert expected == raised.value.reason


def test_no_credentials_at_all_are_a_denial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(StoreDenied) as raised:
        S3Store(Location("s3", "bucket"), S3Settings(endpoint="http://127.0.0.1:9"), boto3.Session()).get(KEY)
    assert "Unable to locate credentials" == raised.value.reason


@pytest.mark.parametrize("act", ["get", "head"])
def test_other_region_is_named(act: str) -> None:
    answer = reply(301, fault("PermanentRedirect"), None, x_amz_bucket_region="eu-west-1")
    with serving(answer) as store, pytest.raises(StoreUnreachable) as raised:
        getattr(store, act)(KEY)
    assert "the bucket lies in the region eu-west-1, not in us-east-1" == raised.value.reason


def test_head_asks_whether_object_or_bucket_is_missing() -> None:
    def only_bucket(request: BaseHTTPRequestHandler) -> None:
        reply(200 if request.path == "/bucket" else 404)(request)

    with serving(only_bucket) as store, pytest.raises(ObjectMissing):
        store.head(KEY)
    with serving(reply(404)) as store, pytest.raises(StoreMissing):
        store.head(KEY)


def test_conflict_with_another_writer_is_a_change() -> None:
    with serving(reply(409, fault("ConditionalRequestConflict"))) as store, pytest.raises(ObjectChanged):
        store.put(KEY, b"one", if_match='"tag"')


def test_put_over_nothing_is_a_change() -> None:
    with serving(reply(404, fault("NoSuchKey"))) as store, pytest.raises(ObjectChanged):
        store.put(KEY, b"one", if_match='"tag"')


def test_bucket_name_that_cannot_exist_is_missing() -> None:
    with pytest.raises(StoreMissing):
        open_store("http://127.0.0.1:9", "no bucket!").get(KEY)


def test_endpoint_that_is_no_url() -> None:
    with pytest.raises(ConfigInvalid):
        open_store("not a url").get(KEY)


@pytest.mark.parametrize(
    ("checksum", "kind", "expected"),
    [
        (base64.b64encode(bytes(range(32))).decode(), None, bytes(range(32)).hex()),
        (base64.b64encode(bytes(range(32))).decode(), "FULL_OBJECT", bytes(range(32)).hex()),
        (base64.b64encode(bytes(range(32))).decode(), "COMPOSITE", None),
        (base64.b64encode(bytes(range(32))).decode() + "-3", None, None),
        (base64.b64encode(bytes(16)).decode(), None, None),
        ("", None, None),
    ],
    ids=["plain", "full", "composite", "parts", "short", "empty"],
)
def test_only_a_checksum_of_the_whole_object_attests(checksum: str, kind: str | None, expected: str | None) -> None:
    headers = {"x_amz_checksum_sha256": checksum} | ({} if kind is None else {"x_amz_checksum_type": kind})
    with serving(reply(200, b"", 5, **headers)) as store:
        assert ObjectInfo(KEY, 5, '"tag"', expected) == store.head(KEY)


# -- uploads to servers that misbehave -------------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that holds `one`."""
    made = tmp_path / "source"
    made.write_bytes(b"one")
    return made


def test_bodies_are_sent_as_they_are_with_nothing_behind_them(source: Path) -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    def remember(request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen.append((request.command, headers, request.body))  # type: ignore[attr-defined]
        reply(200)(request)

    with serving(remember) as store:
        store.upload(KEY, source, sha256=sha256(b"one"))
        store.put(KEY, b"one")
    assert ["PUT", "HEAD", "PUT"] == [command for command, _, _ in seen]
    for _, headers, body in (seen[0], seen[2]):
        assert b"one" == body
        assert not {"x-amz-trailer", "x-amz-checksum-crc32", "transfer-encoding", "content-encoding"} & headers.keys()
    assert base64.b64encode(hashlib.sha256(b"one").digest()).decode() == seen[0][1]["x-amz-checksum-sha256"]
    assert ("*", "ENABLED") == (seen[0][1]["if-none-match"], seen[1][1]["x-amz-checksum-mode"])


def test_upload_to_a_server_that_checks_nothing_takes_wrong_bytes_back(source: Path) -> None:
    commands = []

    def accept(request: BaseHTTPRequestHandler) -> None:
        commands.append(request.command)
        reply(200)(request)

    with serving(accept) as store, pytest.raises(SourceChanged):
        store.upload(KEY, source, sha256=sha256(b"announced"))
    assert ["PUT", "DELETE"] == commands


def test_upload_that_is_attested_otherwise_is_a_mismatch(source: Path) -> None:
    other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    with serving(reply(200, b"", None, x_amz_checksum_sha256=other)) as store, pytest.raises(PayloadMismatch):
        store.upload(KEY, source, sha256=sha256(b"one"))


def test_upload_over_an_object(source: Path) -> None:
    with serving(reply(412, fault("PreconditionFailed"))) as store, pytest.raises(ObjectExists):
        store.upload(KEY, source, sha256=sha256(b"one"))


def test_upload_is_sent_again_from_its_start(source: Path) -> None:
    bodies = []

    def fail_once(request: BaseHTTPRequestHandler) -> None:
        if request.command == "PUT":
            bodies.append(request.body)  # type: ignore[attr-defined]
        reply(503 if len(bodies) == 1 else 200)(request)

    with serving(fail_once) as store:
        store.upload(KEY, source, sha256=sha256(b"one"))
    assert [b"one", b"one"] == bodies


def test_source_that_fails_while_it_is_sent_is_told(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over plain HTTP botocore reads a body for its signature first; only what fails behind that, it wraps."""
    read, passes = Source.read, itertools.count()

    def fail_unless_signing(self: Source, size: int = -1) -> bytes:
        if self.tell() == 0 and next(passes) % 2 == 1:
            raise UnreadableFile("source", "Input/output error")
        return read(self, size)

    with serving(reply(200)) as store:
        monkeypatch.setattr(Source, "read", fail_unless_signing)
        with pytest.raises(UnreadableFile):
            store.upload(KEY, source, sha256=sha256(b"one"))


def test_upload_above_five_gib_is_refused_before_anything_is_sent(source: Path) -> None:
    with source.open("r+b") as file:
        file.truncate((5 << 30) + 1)
    with pytest.raises(StoreDenied) as raised:
        open_store("http://127.0.0.1:9").upload(KEY, source, sha256=sha256(b"one"))
    assert "objects above 5 GiB cannot be uploaded in one part" == raised.value.reason
