"""A store in an S3 bucket, of Amazon or of any server that speaks its protocol.

The composition root imports this module only when a location asks for it: botocore takes 0.1 s. One client for all
stores of a session that are reached in the same way, built at the first request and used by all threads. Every error
of boto3 is translated here and nowhere else; the requests are those of the S3 API reference (PutObject, GetObject,
HeadObject, ListObjectsV2, DeleteObject, HeadBucket).
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.httpsession import get_cert_path
from botocore.parsers import ResponseParserError, RestXMLParser
from urllib3.exceptions import HTTPError

from datomfs.errors import (
    ConfigInvalid,
    DatomfsError,
    ObjectChanged,
    ObjectExists,
    ObjectMissing,
    PayloadMismatch,
    SourceChanged,
    StoreDenied,
    StoreError,
    StoreMissing,
    StoreUnreachable,
)
from datomfs.layout import NAMESPACE, check_key
from datomfs.model.jsonlite import check_length
from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.base import ObjectInfo, check_prefix, is_key
from datomfs.store.s3_stream import STALL_S, Broken, Identity, RangeClient, RangeStream, Refused
from datomfs.store.source import Source

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client

_DEFAULT_REGION = "us-east-1"
_ONE_PART_LIMIT = 5 << 30
"""The largest object of one PutObject; only such a one has a SHA-256 of the whole (S3, "Checking object integrity")."""

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS = 3
_CONNECTIONS = 32
_PROBE = "no-key-of-ours"
"""What a request is made for that is only looked at."""

_DENIED = {
    "AccessDenied": "these credentials have no right to do this",
    "AllAccessDisabled": "access to the bucket is switched off",
    "AuthorizationHeaderMalformed": "the request was signed for another region",
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "InvalidAccessKeyId": "the access key is not known there",
    "InvalidObjectState": "the object is archived and must be restored first",
    "InvalidToken": "the session token is not valid",
    "RequestExpired": "the credentials have expired",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "TokenRefreshRequired": "the session token must be renewed",
    "400": "the credentials have expired, or the region is another one",
    "403": "these credentials have no right to do this",
}
"""What the codes mean; 400 and 403 stand for all of them in answers to HEAD, which have no body."""

_WRONG_BYTES = {"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
_NOT_UNDERSTOOD = (ResponseParserError, ValueError, KeyError)
_NO_IDENTITY = (NoCredentialsError, PartialCredentialsError, SSOError, TokenRetrievalError)

_building = threading.Lock()
"""Sessions are not safe to build clients from in several threads, and several stores may share one."""

_clients: WeakKeyDictionary[Session, dict[Hashable, S3Client]] = WeakKeyDictionary()
_range_clients: WeakKeyDictionary[Session, dict[Hashable, RangeClient]] = WeakKeyDictionary()
"""What the stores of a session share: a client takes 100 ms and several MB, and a portfolio has hundreds of stores."""


class S3Store:
    """The namespace of one location in its bucket. A streamed range may give nothing for `stall_s` seconds."""

    def __init__(self, location: Location, settings: S3Settings, session: Session, *, stall_s: float = STALL_S) -> None:
        self._bucket = location.root
        self._namespace = location.namespace
        self._url = location.url
        self._region = location.region or settings.region or session.region_name or _DEFAULT_REGION
        self._settings = settings
        self._session = session
        self._stall_s = stall_s
        self._payer: Any = {"RequestPayer": "requester"} if settings.requester_pays else {}

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return self._url

    @property
    def document_suffix(self) -> bytes:
        """Nothing: R puts documents to S3 without a final newline (format.md §2)."""
        return b""

    def check(self) -> None:
        """Raise StoreMissing, StoreDenied or StoreUnreachable unless the namespace can be listed."""
        # Not HeadBucket: its answers have no body to tell why, and policies grant ListBucket by prefix.
        key = f"{NAMESPACE}/"
        with self._door(key):
            page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._namespace, MaxKeys=1, **self._payer)
        self._check_listing(page, key)

    def head(self, key: str) -> ObjectInfo:
        """Size, etag, and the SHA-256 of the whole object where S3 keeps one."""
        name = self._name(key)
        with self._door(key):
            response = self._client.head_object(Bucket=self._bucket, Key=name, ChecksumMode="ENABLED", **self._payer)
        return ObjectInfo(key, response["ContentLength"], response["ETag"], _attested(response))

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self.get_with_info(key)[0]

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The whole object, checked against its checksum where S3 keeps one."""
        name = self._name(key)
        with self._door(key):
            response = self._client.get_object(Bucket=self._bucket, Key=name, ChecksumMode="ENABLED", **self._payer)
            with closing(response["Body"]) as stream:
                check_length(response["ContentLength"], f"{key} in {self._url}")
                body = stream.read()
        return body, ObjectInfo(key, len(body), response["ETag"], _attested(response))

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        """Part of the object, in one GET."""
        name = self._name(key)
        # Nothing is no range in HTTP; one byte asks the same questions.
        last = start + max(length, 1) - 1
        condition: Any = {} if if_match is None else {"IfMatch": if_match}
        try:
            with self._door(key):
                response = self._client.get_object(
                    Bucket=self._bucket, Key=name, Range=f"bytes={start}-{last}", **condition, **self._payer
                )
                with closing(response["Body"]) as stream:
                    body = stream.read()
        except _RangeEmpty:
            return b""
        if not _is_whole_range(response.get("ContentRange"), start, last, len(body)):
            raise StoreUnreachable(self._url, key, f"it answered another range than bytes {start} to {last}")
        return body[:length]

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> _Body:
        """Part of the object as it comes, in one GET that is not repeated: whoever reads knows how far it got."""
        name = self._name(key)
        with self._door(key):
            return _Body(self._ranges.get(name, start, length, if_match), partial(self._door, key))

    def put(
        self,
        key: str,
        body: bytes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        content_type: str | None = None,
    ) -> ObjectInfo:
        """Put the object in one request, which S3 does whole or not at all."""
        name = self._name(key)
        request: Any = {"ContentType": content_type, "IfMatch": if_match, "IfNoneMatch": "*" if if_absent else None}
        given = {field: value for field, value in request.items() if value is not None}
        try:
            with self._door(key, conflict=ObjectExists if if_absent else ObjectChanged):
                response = self._client.put_object(
                    Bucket=self._bucket, Key=name, Body=body, **cast("Any", given), **self._payer
                )
        except ObjectMissing as error:  # S3 answers 404 to If-Match where there is nothing to match
            raise ObjectChanged(self._url, key) from error
        return ObjectInfo(key, len(body), response["ETag"])

    def upload(self, key: str, source: Path, *, sha256: str) -> ObjectInfo:
        """Put a file of up to 5 GiB with its SHA-256, then read the attestation back."""
        name = self._name(key)
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        with Source(source) as content:
            if content.size > _ONE_PART_LIMIT:
                raise StoreDenied(self._url, key, "objects above 5 GiB cannot be uploaded in one part")
            with self._door(key, conflict=ObjectExists):
                try:
                    self._client.put_object(
                        Bucket=self._bucket,
                        Key=name,
                        Body=cast("IO[bytes]", content),
                        ChecksumSHA256=checksum,
                        IfNoneMatch="*",
                        **self._payer,
                    )
                except ClientError as error:
                    if error.response["Error"]["Code"] in _WRONG_BYTES:
                        raise SourceChanged(str(source)) from error
                    raise
            try:
                content.check(sha256)
            except SourceChanged:  # a server that ignores checksums has stored the wrong bytes, as a new object
                self.delete(key)
                raise
        info = self.head(key)
        if info.sha256 not in (None, sha256):
            raise PayloadMismatch(f"{key} in {self._url}", sha256, info.sha256 or "")
        return info

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        """The objects whose keys start with `prefix`, once the last page of the listing is here."""
        return self._listed(check_prefix(prefix), recursive, after)

    def delete(self, key: str) -> None:
        """Remove the object; in a bucket with versioning S3 keeps it as an older version."""
        name = self._name(key)
        with suppress(ObjectMissing), self._door(key):
            self._client.delete_object(Bucket=self._bucket, Key=name, **self._payer)

    def local_path(self, key: str) -> Path | None:
        """Objects of a bucket are no files of this machine."""
        check_key(key)
        return None

    # -- requests --------------------------------------------------------------------------------------------------

    @property
    def _client(self) -> S3Client:
        key = (self._region, self._settings)
        with _building:
            shared = _clients.setdefault(self._session, {})
            if key not in shared:
                shared[key] = self._build_client()
            return shared[key]

    @property
    def _ranges(self) -> RangeClient:
        client, key = self._client, (self._region, self._settings, self._bucket, self._stall_s)
        with _building:
            shared = _range_clients.setdefault(self._session, {})
            if key not in shared:
                shared[key] = self._build_ranges(client)
            return shared[key]

    def _build_ranges(self, client: S3Client) -> RangeClient:
        identity = self._session.get_credentials()
        if identity is None:
            raise NoCredentialsError
        base, region = _road_to(self._bucket, client)
        payer = {"x-amz-request-payer": "requester"} if self._payer else {}
        # The same authorities as boto3 trusts, in the same order: a system that has none is no hindrance to it.
        named = self._settings.ca_bundle or cast("Any", self._session)._session.get_config_variable("ca_bundle")
        bundle = named or get_cert_path(True)
        return RangeClient(base, region, cast("Identity", identity), bundle, payer, stall_s=self._stall_s)

    def _build_client(self) -> S3Client:
        config = Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=_CONNECTIONS,
            s3={"addressing_style": self._settings.addressing},
            # The default since botocore 1.36, a CRC32 behind each body, is refused or stored as part of the object
            # by many servers that are not Amazon's. What needs a checksum says so in its request.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            return self._session.client(
                "s3",
                region_name=self._region,
                endpoint_url=self._settings.endpoint,
                verify=self._settings.ca_bundle,
                config=config,
            )
        except ValueError as error:
            raise ConfigInvalid("s3.endpoint", str(error)) from error

    def _name(self, key: str) -> str:
        return self._namespace + check_key(key)

    def _listed(self, prefix: str, recursive: bool, after: str) -> Iterator[ObjectInfo]:
        limits: Any = {} if recursive else {"Delimiter": "/"}
        if after:
            limits["StartAfter"] = self._namespace + after
        found = []
        with self._door(prefix or f"{NAMESPACE}/"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._namespace + prefix, **limits, **self._payer
            )
            for page in pages:
                self._check_listing(page, prefix)
                for entry in page.get("Contents", []):
                    key = entry["Key"].removeprefix(self._namespace)
                    if is_key(key):
                        found.append(ObjectInfo(key, entry["Size"], entry["ETag"]))
        # Servers that keep objects in folders (SeaweedFS, S3 Express) list `a/1` before `a-b`.
        found.sort(key=lambda info: info.key)
        yield from found

    def _check_listing(self, page: Mapping[str, Any], key: str) -> None:
        # To botocore the welcome page of a proxy is a listing without objects; each page of a real one says this.
        if "IsTruncated" not in page:
            raise StoreUnreachable(self._url, key, "its answer is no listing")

    # -- errors ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _door(self, key: str, *, conflict: type[StoreError] = ObjectChanged) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._refusal(error, key, conflict) from error
        except Refused as error:
            raise self._refusal(_as_client_error(error), key, conflict) from error
        except Broken as error:
            raise StoreUnreachable(self._url, key, str(error)) from error
        except (BotoCoreError, HTTPError, *_NOT_UNDERSTOOD, RecursionError) as error:
            raise self._fault(error, key) from error

    def _refusal(self, error: ClientError, key: str, conflict: type[StoreError]) -> DatomfsError:
        """What the server's answer means (S3 API reference, "Error responses")."""
        code, status = str(error.response["Error"].get("Code", "")), _status(error)
        region = _other_region(error)
        if code == "NoSuchBucket":
            return StoreMissing(self._url, key)
        if status == 404:
            missing = code != "NoSuchKey" and self._is_bucket_missing(key)
            return StoreMissing(self._url, key) if missing else ObjectMissing(self._url, key)
        if status == 412:
            return conflict(self._url, key)
        if code == "ConditionalRequestConflict":
            return ObjectChanged(self._url, key)
        if status == 416:
            return _RangeEmpty(self._url, key)
        if status in (301, 307, 400) and region not in (None, self._region):
            return StoreUnreachable(self._url, key, f"the bucket lies in the region {region}, not in {self._region}")
        if code in _DENIED:
            return StoreDenied(self._url, key, f"{_DENIED[code]} ({code})")
        if status in (401, 403, 405):
            return StoreDenied(self._url, key, f"the server answered {status} {code}")
        return StoreUnreachable(self._url, key, f"the server answered {status} {code}")

    def _fault(self, error: Exception, key: str) -> DatomfsError:
        """What it means that there was no whole answer, or no request at all."""
        cause = error.kwargs.get("error") if isinstance(error, HTTPClientError) else None
        if isinstance(cause, DatomfsError):  # the source of an upload failed, and botocore wrapped it
            return cause
        if isinstance(error, _NO_IDENTITY):
            return StoreDenied(self._url, key, str(error))
        if isinstance(error, CredentialRetrievalError):  # its text may quote what a credential process printed
            return StoreDenied(self._url, key, f"no credentials could be had from {error.kwargs.get('provider')}")
        if isinstance(error, ParamValidationError):  # of our parameters only the bucket can be illegal
            return StoreMissing(self._url, key)
        if isinstance(error, RecursionError):  # botocore 1.44 asks such a server for its region without end
            return StoreUnreachable(self._url, key, "the endpoint redirects to another place")
        if isinstance(error, _NOT_UNDERSTOOD):
            return StoreUnreachable(self._url, key, f"its answer cannot be understood: {error}")
        if isinstance(error, FlexibleChecksumError):
            return StoreUnreachable(self._url, key, "the bytes received do not have the object's checksum")
        return StoreUnreachable(self._url, key, " ".join(str(error).split()))

    def _is_bucket_missing(self, key: str) -> bool:
        """Whether a 404 without a reason (HEAD has none) was about the bucket."""
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            return _status(error) == 404
        except BotoCoreError as error:
            raise self._fault(error, key) from error
        return False


class _Noted:
    """Stands for the answer to a request that was looked at and not sent."""

    status_code = HTTPStatus.OK


def _road_to(bucket: str, client: S3Client) -> tuple[str, str]:
    """The URL that boto3 puts keys of a bucket behind, and the region it signs for.

    Both follow from endpoint, region and addressing, and from where an earlier request was redirected to. A presigned
    URL would not do: it names the global endpoint, which knows new buckets after a while, and others by redirection.
    """
    asked: list[tuple[str, str]] = []

    def note(params: Mapping[str, Any], **_: Any) -> tuple[_Noted, dict[str, Any]] | None:
        if not params["url"].endswith(f"/{_PROBE}"):
            return None  # another thread's request
        asked.append((params["url"].removesuffix(f"/{_PROBE}"), params["context"]["signing"]["region"]))
        return _Noted(), {}

    event, listener = "before-call.s3.GetObject", cast("Any", note)
    client.meta.events.register(event, listener)
    try:
        client.get_object(Bucket=bucket, Key=_PROBE)
    finally:
        client.meta.events.unregister(event, listener)
    return asked[0]


class _Body:
    """The stream of an answer, with the errors of its store."""

    def __init__(self, stream: RangeStream, door: Callable[[], AbstractContextManager[None]]) -> None:
        self._stream = stream
        self._door = door

    def readinto(self, buffer: memoryview) -> int:
        """The next bytes. Raises StoreUnreachable."""
        with self._door():
            return self._stream.readinto(buffer)

    def close(self) -> None:
        """Give the connection back."""
        self._stream.close()


class _RangeEmpty(StoreError):
    """The range begins at or after the end of the object; never leaves this module."""

    message = "the range of {key} in {store} is empty"


def _as_client_error(error: Refused) -> ClientError:
    """A refusal as boto3 would have told it."""
    headers = {name.lower(): value for name, value in error.headers.items()}
    answer = {"status_code": error.status, "headers": headers, "body": error.body}
    if error.status < HTTPStatus.BAD_REQUEST:
        metadata = {"HTTPStatusCode": error.status, "HTTPHeaders": headers}
        code = "another range" if error.status < HTTPStatus.MULTIPLE_CHOICES else "a redirection"
        parsed: Any = {"Error": {"Code": code}, "ResponseMetadata": metadata}
    else:
        parsed = RestXMLParser().parse(answer, cast("Any", None))  # errors have no shape of their own
    return ClientError(parsed, "GetObject")


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _other_region(error: ClientError) -> str | None:
    headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or error.response["Error"].get("Region")
    return str(region) if region else None


def _attested(response: Mapping[str, Any]) -> str | None:
    """The hex SHA-256 that S3 keeps of the whole object; that of several parts ends in `-N` and proves nothing."""
    if response.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    try:
        digest = base64.b64decode(response.get("ChecksumSHA256", ""), validate=True)
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == 32 else None


def _is_whole_range(content_range: str | None, start: int, last: int, received: int) -> bool:
    """Whether an answer holds the bytes asked for, or all of them up to the end of the object (RFC 9110 §14.4)."""
    if content_range is None:  # a server may answer 200 where the range covers the whole object
        return start == 0 and received <= last + 1
    span, _, total = content_range.removeprefix("bytes ").partition("/")
    end = start + received - 1
    return span == f"{start}-{end}" and (end == last or total == f"{end + 1}")
