"""The store in a bucket keeps the contract of stores on a real server."""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from datomfs.credentials import aws_session
from datomfs.errors import StoreDenied
from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.base import Store
from datomfs.store.s3 import S3Store
from tests.s3_server import S3Server
from tests.store.contract import KEY, StoreContract, sha256


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> Iterator[str]:
    """One bucket for all tests here, a new prefix for each: its first object costs SeaweedFS 0.2 s."""
    name = s3_server.create_bucket(f"contract-{uuid.uuid4().hex}")
    yield name
    s3_server.delete_bucket(name)


@pytest.fixture(scope="module")
def session(s3_server: S3Server) -> boto3.Session:
    """The session of somebody who may do everything; a new one takes 0.1 s to make its first client."""
    return boto3.Session(s3_server.access_key, s3_server.secret_key)


@pytest.mark.s3
class TestS3Store(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, s3_server: S3Server) -> None:
        self.client = s3_server.client()
        self.settings = S3Settings(endpoint=s3_server.endpoint)

    @pytest.fixture
    def store(self, bucket: str, session: boto3.Session) -> S3Store:
        return S3Store(Location("s3", bucket, f"a/{uuid.uuid4().hex}"), self.settings, session)

    @pytest.fixture
    def missing_store(self, session: boto3.Session) -> S3Store:
        return S3Store(Location("s3", "missing-bucket", "a/prefix"), self.settings, session)

    def open_store(self, bucket: str, prefix: str, access_key: str, secret_key: str) -> S3Store:
        return S3Store(Location("s3", bucket, prefix), self.settings, boto3.Session(access_key, secret_key))

    def raw_put(self, store: Store, key: str, body: bytes) -> None:
        bucket, prefix = parts_of(store)
        self.client.put_object(Bucket=bucket, Key=f"{prefix}/datom/{key}", Body=body)

    def raw_get(self, store: Store, key: str) -> bytes | None:
        bucket, prefix = parts_of(store)
        try:
            return self.client.get_object(Bucket=bucket, Key=f"{prefix}/datom/{key}")["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def test_upload_is_attested(self, store: Store, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"one")
        assert sha256(b"one") == store.upload(KEY, source, sha256=sha256(b"one")).sha256
        assert sha256(b"one") == store.head(KEY).sha256
        assert sha256(b"one") == store.get_with_info(KEY)[1].sha256

    def test_put_is_not_attested(self, store: Store) -> None:
        assert store.put(KEY, b"one").sha256 is None
        assert store.head(KEY).sha256 is None

    def test_content_type_is_kept(self, store: Store) -> None:
        store.put(KEY, b"{}", content_type="application/json")
        bucket, prefix = parts_of(store)
        head = self.client.head_object(Bucket=bucket, Key=f"{prefix}/datom/{KEY}")
        assert "application/json" == head["ContentType"]

    def test_listing_goes_on_behind_a_thousand_keys(self, store: Store) -> None:
        keys = [f"dm/{number:04}" for number in range(1050)]
        for key in keys:
            self.raw_put(store, key, b"1")
        assert keys == [info.key for info in store.list("dm/")]
        assert keys == [info.key for info in store.list("dm/", recursive=False)]

    def test_folder_markers_are_not_listed(self, store: Store) -> None:
        self.raw_put(store, "dm/", b"")
        self.raw_put(store, "dm/x", b"1")
        assert ["dm/x"] == [info.key for info in store.list()]

    def test_requests_of_a_requester_who_pays(
        self, bucket: str, session: boto3.Session, store: Store, tmp_path: Path
    ) -> None:
        location = Location("s3", *parts_of(store))
        payer = S3Store(location, replace(self.settings, requester_pays=True), session)
        source = tmp_path / "source"
        source.write_bytes(b"one")
        payer.check()
        payer.upload(KEY, source, sha256=sha256(b"one"))
        payer.put("dm/x", b"two")
        assert (b"one", b"o") == (payer.get(KEY), payer.get_range(KEY, 0, 1))
        payer.delete(KEY)
        assert ["dm/x"] == [info.key for info in payer.list()]

    def test_stores_of_a_session_share_their_clients(
        self, bucket: str, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built: list[str] = []
        build = session.client

        def counted(*names: str, **given: Any) -> Any:
            built.append(given["region_name"])
            return build(*names, **given)

        monkeypatch.setattr(session, "client", counted)
        places = [Location("s3", bucket, f"study/{number}", region) for number in range(5) for region in ("aa", "bb")]
        stores = [S3Store(place, self.settings, session) for place in places]
        for number, store in enumerate(stores):
            store.put("key", str(number).encode())
            with closing(store.open_range("key", 0, 1)) as body:
                content = bytearray(1)
                body.readinto(memoryview(content))
            assert str(number) == content.decode()
        assert ["aa", "bb"] == sorted(built)

    @pytest.mark.parametrize(
        "act",
        [
            lambda store: store.check(),
            lambda store: store.get(KEY),
            lambda store: store.get_range(KEY, 0, 1),
            lambda store: store.put(KEY, b"one"),
            lambda store: list(store.list()),
            lambda store: store.delete(KEY),
        ],
        ids=["check", "get", "get_range", "put", "list", "delete"],
    )
    @pytest.mark.parametrize(("wrong", "code"), [("secret", "SignatureDoesNotMatch"), ("key", "InvalidAccessKeyId")])
    def test_wrong_credentials_are_denied(
        self, s3_server: S3Server, bucket: str, act: Callable[[Store], object], wrong: str, code: str
    ) -> None:
        access_key = s3_server.access_key if wrong == "secret" else "not-a-key"
        with pytest.raises(StoreDenied) as raised:
            act(self.open_store(bucket, "a/prefix", access_key, "not-the-secret"))
        assert code in raised.value.reason
        assert "not-the-secret" not in str(raised.value)

    def test_wrong_credentials_are_denied_by_head(self, bucket: str) -> None:
        with pytest.raises(StoreDenied):
            self.open_store(bucket, "a/prefix", "not-a-key", "not-the-secret").head(KEY)

    def test_reader_may_read_and_not_write(self, s3_server: S3Server, store: Store, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"one")
        self.raw_put(store, KEY, b"one")
        reader = self.open_store(*parts_of(store), s3_server.reader_access_key, s3_server.reader_secret_key)
        reader.check()
        assert b"one" == reader.get(KEY)
        with pytest.raises(StoreDenied) as raised:
            reader.put(KEY, b"two")
        assert "these credentials have no right to do this (AccessDenied)" == raised.value.reason
        with pytest.raises(StoreDenied):
            reader.upload("dm/x", source, sha256=sha256(b"one"))
        with pytest.raises(StoreDenied):
            reader.delete(KEY)

    def test_secrets_stand_in_no_log_and_no_error(
        self, s3_environment: S3Server, bucket: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", "a-session-token")
        store = S3Store(Location("s3", bucket), S3Settings(), aws_session(S3Settings()))
        caplog.set_level(logging.DEBUG)
        with pytest.raises(StoreDenied) as raised:
            store.get(KEY)
        for secret in ("a-session-token", s3_environment.secret_key):
            assert secret not in caplog.text
            assert secret not in "".join(traceback.format_exception(raised.value))


def parts_of(store: Store) -> tuple[str, str]:
    """A store's bucket and prefix."""
    bucket, _, prefix = store.url.removeprefix("s3://").partition("/")
    return bucket, prefix
