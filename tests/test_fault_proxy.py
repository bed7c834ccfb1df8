"""The proxy that spoils answers spoils those it is told to, in the way it is told, and nothing else."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from urllib3.exceptions import HTTPError

from tests import faults
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.fault_rules import Fault
from tests.s3_server import REGION, S3Server

pytestmark = pytest.mark.s3

KEY = "a folder/100% (é)+.parquet"
BODY = bytes(range(256)) * 40


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(s3_server) as proxy:
        yield proxy


@pytest.fixture
def bucket(s3_server: S3Server) -> Iterator[str]:
    name = s3_server.create_bucket(f"test-{uuid.uuid4().hex}")
    s3_server.client().put_object(Bucket=name, Key=KEY, Body=BODY)
    yield name
    s3_server.delete_bucket(name)


@pytest.fixture
def client(proxy: FaultProxy) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=proxy.endpoint,
        region_name=REGION,
        aws_access_key_id=proxy.server.access_key,
        aws_secret_access_key=proxy.server.secret_key,
        config=Config(
            retries={"total_max_attempts": 1}, read_timeout=0.5, response_checksum_validation="when_required"
        ),
    )


def get(client: Any, bucket: str, wanted: str = "bytes=100-1099") -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key=KEY, Range=wanted)["Body"].read())


def test_without_rules_all_goes_through_unchanged(proxy: FaultProxy, client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="other", Body=b"other")
    assert ["other", KEY] == sorted(
        (entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]), reverse=True
    )
    assert len(BODY) == client.head_object(Bucket=bucket, Key=KEY)["ContentLength"]
    assert BODY == client.get_object(Bucket=bucket, Key=KEY)["Body"].read()
    assert BODY[100:1100] == get(client, bucket)
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=bucket, Key="missing")
    assert {"PUT": 1, "LIST": 1, "HEAD": 1, "GET": 2, "RANGE": 1} == proxy.counts
    assert proxy.bytes_sent > len(BODY) + 1000


@pytest.mark.parametrize(
    ("fault", "error", "match"),
    [
        (faults.status(503, "SlowDown"), ClientError, "SlowDown"),
        (faults.status(500, "InternalError"), ClientError, "InternalError"),
        (faults.missing, ClientError, "NoSuchKey"),
        (faults.expired, ClientError, "ExpiredToken"),
        (faults.hang_up, BotoCoreError, "closed"),
        (faults.cut(300), (HTTPError, BotoCoreError), "300 bytes read"),
        (faults.cut(300, reset=True), (HTTPError, BotoCoreError), "reset"),
        (faults.Stall(), BotoCoreError, "timeout"),
        (faults.Stall(300), ReadTimeoutError, "(?i)timeout"),
        (faults.dribble(1.0, after=300), ReadTimeoutError, "(?i)timeout"),
    ],
)
def test_faults_that_end_in_an_error(
    proxy: FaultProxy,
    client: Any,
    bucket: str,
    fault: Fault,
    error: type[Exception] | tuple[type[Exception], ...],
    match: str,
) -> None:
    rule = proxy.inject(fault, kind="RANGE", times=1)
    with pytest.raises(error, match=match):
        get(client, bucket)
    assert BODY[100:1100] == get(client, bucket)
    assert (2, 1) == (rule.seen, rule.hits)


def test_faults_that_look_like_answers(proxy: FaultProxy, client: Any, bucket: str) -> None:
    for fault, status, said, expected in [
        (faults.short(10), 206, "bytes 100-1099/10240", BODY[100:1090]),
        (faults.shifted(7), 206, "bytes 107-1106/10240", BODY[107:1107]),
        (faults.whole_body, 200, None, BODY),
        (faults.wrong_bytes, 206, "bytes 100-1099/10240", bytes(255 - value for value in BODY[100:1100])),
    ]:
        proxy.inject(fault, times=1)
        response = client.get_object(Bucket=bucket, Key=KEY, Range="bytes=100-1099")
        assert status == response["ResponseMetadata"]["HTTPStatusCode"]
        assert said == response.get("ContentRange")
        assert expected == response["Body"].read()


def test_a_stalled_answer_goes_on_when_it_is_released(proxy: FaultProxy, client: Any, bucket: str) -> None:
    stall = faults.Stall(300)
    rule = proxy.inject(stall)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(get, client, bucket)
        assert rule.struck.wait(10)
        stall.release()
        assert BODY[100:1100] == reading.result()


def test_rules_pick_by_key_number_and_chance(proxy: FaultProxy, client: Any, bucket: str) -> None:
    proxy.inject(faults.missing, key="other")
    proxy.inject(faults.missing, first=3, times=1)
    assert [True, True, False, True] == [_is_read(client, bucket) for _ in range(4)]
    proxy.recover()
    by_chance = proxy.inject(faults.missing, probability=0.5)
    assert 20 == sum(_is_read(client, bucket) for _ in range(20)) + by_chance.hits
    assert 0 < by_chance.hits < 20
    proxy.recover()
    assert _is_read(client, bucket)


def test_cutting_all_ends_idle_connections(proxy: FaultProxy) -> None:
    at = proxy.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(at, timeout=10)
    connection.request("GET", "/")
    connection.getresponse().read()
    assert 1 == proxy.connections
    proxy.cut_all()
    assert connection.sock is not None
    assert b"" == connection.sock.recv(1)
    connection.close()


def _is_read(client: Any, bucket: str) -> bool:
    try:
        return BODY[100:1100] == get(client, bucket)
    except ClientError:
        return False
