"""The other mounts of a bucket: rclone, s3fs-fuse, JuiceFS, each with the options it does best with.

They find server and keys in the AWS_ variables, which are the environment they are given, and show an object under
its key. JuiceFS keeps data in a form of its own, so a bucket of its own holds a copy. Used by `remote`.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from scripts.bench_rows.measure import MountFailed
from scripts.bench_rows.mounting import serve_in_foreground
from scripts.bench_rows.taking import SideFailed


class PeerMount(ABC):
    """Another program that shows a bucket as files. `environment` has the AWS_ variables of the server it asks."""

    name: str
    program: str
    keeps_files = True
    """Whether its cache outlives the mount."""
    writes_down_s = 0.0
    """How long after a file was closed its cache knows what it holds of it."""
    tuned = False
    """Whether another kind is the same program as it comes, and does as well but for the first read of a large file."""

    def __init__(self, bucket: str, environment: Mapping[str, str]) -> None:
        self.bucket = bucket
        self.environment = environment

    def ensure(self, files: Mapping[str, Path]) -> None:
        """Have these files under these keys."""
        del files  # objects are shown as they are, under their keys

    @contextmanager
    def serve(self, folder: Path) -> Iterator[tuple[Path, int]]:
        """Its mount with a cache in `folder`, and the daemon's pid. Raises SideFailed, MountFailed."""
        point, cache = folder / "mnt", folder / "cache"
        cache.mkdir(exist_ok=True)
        with serve_in_foreground(point, self.command(point, cache), self.variables()) as pid:
            yield point, pid

    def find_program(self) -> str:
        """Where the program is. Raises SideFailed."""
        found = shutil.which(self.program, path=sysconfig.get_path("scripts")) or shutil.which(self.program)
        if found is None:
            raise SideFailed(f"{self.program} is not installed")
        return found

    def variables(self) -> dict[str, str]:
        """The environment of the daemon."""
        return dict(self.environment)

    @abstractmethod
    def command(self, point: Path, cache: Path) -> list[str]:
        """What serves the mount in the foreground."""


class Rclone(PeerMount):
    """rclone with its cache of files, as it comes."""

    name = "rclone"
    program = "rclone"
    writes_down_s = 8.0  # seen to be more than 1 and less than 8; a mount that ends before fetches everything again
    tuning: ClassVar[Mapping[str, str]] = {}

    def command(self, point: Path, cache: Path) -> list[str]:
        where = {
            "config": "",
            "s3-provider": "Other",
            "s3-env-auth": "true",
            "s3-endpoint": self.environment["AWS_ENDPOINT_URL"],
            "s3-region": self.environment["AWS_DEFAULT_REGION"],
            "s3-force-path-style": "true",
        }
        how = {"cache-dir": str(cache), "vfs-cache-mode": "full", **self.tuning}
        options = [f"--{name}={value}" for name, value in (where | how).items()]
        what = [f":s3:{self.bucket}", str(point), "--read-only", "--use-server-modtime"]
        return [self.find_program(), "mount", *what, *options]


class RcloneTuned(Rclone):
    """rclone reading in parallel, which serves whole files best."""

    name = "rclone, tuned"
    tuned = True
    tuning: ClassVar[Mapping[str, str]] = {
        "vfs-read-chunk-streams": "8",
        "vfs-read-chunk-size": "8M",
        "vfs-read-ahead": "64M",
        "max-read-ahead": "1M",
    }


class S3fs(PeerMount):
    """s3fs-fuse, whose cache is a temporary file for each open one."""

    name = "s3fs"
    program = "s3fs"
    keeps_files = False

    def variables(self) -> dict[str, str]:
        keys = {
            name.replace("_", ""): self.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        }
        return super().variables() | keys

    def command(self, point: Path, cache: Path) -> list[str]:
        where = f"url={self.environment['AWS_ENDPOINT_URL']},use_path_request_style"
        how = f"ro,parallel_count=8,multipart_size=10,tmpdir={cache}"
        return [self.find_program(), self.bucket, str(point), "-f", "-o", where, "-o", how]


class JuiceFS(PeerMount):
    """JuiceFS with its metadata in a file of SQLite."""

    name = "JuiceFS"
    program = "juicefs"

    def __init__(self, bucket: str, environment: Mapping[str, str], folder: Path) -> None:
        super().__init__(bucket, environment)
        self._folder = folder
        self._held: set[str] = set()

    def ensure(self, files: Mapping[str, Path]) -> None:
        missing = {key: file for key, file in files.items() if key not in self._held}
        if not missing:
            return
        if not self._folder.exists():
            self._format()
        folder = self._folder / "filling"
        folder.mkdir(exist_ok=True)
        mount = [self.find_program(), "mount", self._metadata, str(folder / "mnt"), "--no-usage-report"]
        with serve_in_foreground(folder / "mnt", [*mount, f"--cache-dir={folder / 'cache'}"], self.variables()):
            for key, file in missing.items():
                target = folder / "mnt" / key
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
                self._held.add(key)
        shutil.rmtree(folder)

    def variables(self) -> dict[str, str]:
        keys = {
            "ACCESS_KEY": self.environment["AWS_ACCESS_KEY_ID"],
            "SECRET_KEY": self.environment["AWS_SECRET_ACCESS_KEY"],
        }
        return super().variables() | keys

    def command(self, point: Path, cache: Path) -> list[str]:
        return [
            self.find_program(),
            "mount",
            self._metadata,
            str(point),
            "--read-only",
            f"--cache-dir={cache}",
            "--no-usage-report",
        ]

    @property
    def _metadata(self) -> str:
        return f"sqlite3://{self._folder / 'metadata.db'}"

    def _format(self) -> None:
        program = self.find_program()
        self._folder.mkdir()
        where = f"{self.environment['AWS_ENDPOINT_URL']}/{self.bucket}"
        command = [program, "format", "--storage=s3", f"--bucket={where}", "--trash-days=0", self._metadata, "bench"]
        done = subprocess.run(command, env=self.variables(), capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise MountFailed(self.name, done.stderr)
