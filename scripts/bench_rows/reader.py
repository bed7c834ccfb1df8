"""What a reader does, in a process of its own: `python -m scripts.bench_rows.reader TASK JSON`.

A task prepares (imports, clients), and gives the work whose time counts; how long each time took, what it found and
how often it was done are printed as JSON. Tasks of files take a path, in whosever mount it lies; tasks of objects take
a bucket and a key, and find the server and its keys in the AWS_ variables. Run by `taking`; knows no mounts.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

from scripts.bench_rows.wide import PICKED

Work = Callable[[], int]

_STEP = 1 << 20
_RANGE = 8 << 20
_CONNECTIONS = 8
_READS = 150
_SMALLEST_READ, _LARGEST_READ = 4 << 10, 1 << 20
_READS_SEED = 7
_PICK_SQL = f"select sum({PICKED[0]}), sum({PICKED[1]}), count(*) from read_parquet(?)"  # noqa: S608 - our own names


# -- tasks of files ------------------------------------------------------------------------------------------------


def read_whole(path: str) -> Work:
    """Read a file from its beginning to its end, 1 MiB at a time; its size."""

    def work() -> int:
        buffer, size = bytearray(_STEP), 0
        fd = os.open(path, os.O_RDONLY)
        try:
            while count := os.readv(fd, [buffer]):
                size += count
        finally:
            os.close(fd)
        return size

    return work


def read_whole_by_several(path: str, readers: int) -> Work:
    """Read a file as often as that at once, each with a descriptor of its own; the bytes each of them got."""
    one = read_whole(path)

    def work() -> int:
        with ThreadPoolExecutor(readers) as pool:
            return sum(pool.map(lambda _: one(), range(readers))) // readers

    return work


def read_at_random(path: str) -> Work:
    """150 reads of 4 KiB to 1 MiB, small ones as frequent as large ones are rare; the bytes asked for."""

    def work() -> int:
        fd = os.open(path, os.O_RDONLY)
        try:
            return sum(len(os.pread(fd, size, start)) for start, size in random_reads(os.fstat(fd).st_size))
        finally:
            os.close(fd)

    return work


def random_reads(size: int) -> list[tuple[int, int]]:
    """Where those reads begin and how long they are: the same ones for the same size of file."""
    draw = random.Random(_READS_SEED)  # noqa: S311 - anybody may guess them
    ratio = _LARGEST_READ / _SMALLEST_READ
    last = max(1, size - _LARGEST_READ)
    return [(draw.randrange(last), int(_SMALLEST_READ * ratio ** draw.random())) for _ in range(_READS)]


def pick_with_pyarrow(path: str) -> Work:
    """Two of the columns as a table; its rows."""
    parquet = import_module("pyarrow.parquet")
    return lambda: parquet.read_table(path, columns=list(PICKED)).num_rows


def pick_with_duckdb(path: str) -> Work:
    """The sums of two columns; the rows."""
    connection = import_module("duckdb").connect()
    return lambda: connection.execute(_PICK_SQL, [path]).fetchone()[2]


def list_folder(path: str) -> Work:
    """The names in a folder, and what `ls -l` shows of each; how many are those of parquet files."""

    def work() -> int:
        with os.scandir(path) as entries:
            seen = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
        return _parquet_files(seen)

    return work


def read_footers(path: str) -> Work:
    """The parquet metadata of each file in a folder, one after another, sorted by name; the rows they tell."""
    parquet = import_module("pyarrow.parquet")

    def work() -> int:
        names = sorted(name for name in os.listdir(path) if name.endswith(".parquet"))
        return sum(parquet.read_metadata(os.path.join(path, name)).num_rows for name in names)

    return work


# -- tasks of objects ----------------------------------------------------------------------------------------------


def fetch_with_obstore(bucket: str, key: str, size: int) -> Work:
    """An object of that size by ranges of 8 MiB on eight connections; the bytes that came."""
    obstore, store = import_module("obstore"), _obstore_of(bucket)

    def work() -> int:
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            fetch = [
                pool.submit(obstore.get_range, store, key, start=start, end=min(size, start + _RANGE))
                for start in range(0, size, _RANGE)
            ]
            return sum(len(each.result()) for each in fetch)

    return work


def fetch_with_boto3(bucket: str, key: str, target: str) -> Work:
    """The object as a file, as boto3 downloads it; its size."""
    client = import_module("boto3").client("s3")

    def work() -> int:
        client.download_file(bucket, key, target)
        return os.path.getsize(target)

    return work


def pick_with_pyarrow_s3(bucket: str, key: str) -> Work:
    """Two columns by pyarrow's own file system; the rows."""
    parquet, files = import_module("pyarrow.parquet"), _pyarrow_files()
    return lambda: parquet.read_table(f"{bucket}/{key}", columns=list(PICKED), filesystem=files).num_rows


def pick_with_polars_s3(bucket: str, key: str) -> Work:
    """Two columns by polars' own reader; the rows."""
    polars = import_module("polars")
    options = {
        "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "aws_region": os.environ["AWS_DEFAULT_REGION"],
        "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "aws_allow_http": "true",
    }
    return lambda: polars.scan_parquet(f"s3://{bucket}/{key}", storage_options=options).select(PICKED).collect().height


def pick_with_httpfs(bucket: str, key: str) -> Work:
    """The sums of two columns by DuckDB's own reader; the rows."""
    connection = import_module("duckdb").connect()
    package = import_module("duckdb_extension_httpfs").__file__
    extension = next(Path(str(package)).parent.rglob("*.duckdb_extension"))
    connection.execute(f"load '{extension}'")
    connection.execute(
        f"create secret (type s3, key_id '{os.environ['AWS_ACCESS_KEY_ID']}', "
        f"secret '{os.environ['AWS_SECRET_ACCESS_KEY']}', region '{os.environ['AWS_DEFAULT_REGION']}', "
        f"endpoint '{_endpoint()}', use_ssl false, url_style 'path')"
    )
    return lambda: connection.execute(_PICK_SQL, [f"s3://{bucket}/{key}"]).fetchone()[2]


def list_with_obstore(bucket: str, key: str) -> Work:
    """The objects under a prefix; how many are parquet files."""
    obstore, store = import_module("obstore"), _obstore_of(bucket)
    return lambda: _parquet_files(found["path"] for found in obstore.list_with_delimiter(store, key)["objects"])


def read_footers_with_pyarrow_s3(bucket: str, key: str) -> Work:
    """The parquet metadata of each object under a prefix, one after another; the rows they tell."""
    parquet, fs, files = import_module("pyarrow.parquet"), import_module("pyarrow.fs"), _pyarrow_files()

    def work() -> int:
        found = sorted(info.path for info in files.get_file_info(fs.FileSelector(f"{bucket}/{key}")))
        return sum(parquet.read_metadata(path, filesystem=files).num_rows for path in found)

    return work


def _parquet_files(names: Iterable[str]) -> int:
    return sum(name.endswith(".parquet") for name in names)


def _endpoint() -> str:
    return os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")


def _pyarrow_files() -> Any:
    return import_module("pyarrow.fs").S3FileSystem(
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ["AWS_DEFAULT_REGION"],
        endpoint_override=_endpoint(),
        scheme="http",
    )


def _obstore_of(bucket: str) -> Any:
    return import_module("obstore.store").S3Store(
        bucket,
        endpoint=os.environ["AWS_ENDPOINT_URL"],
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ["AWS_DEFAULT_REGION"],
        client_options={"allow_http": True},
    )


TASKS: Mapping[str, Callable[..., Work]] = {
    task.__name__: task
    for task in (
        read_whole,
        read_whole_by_several,
        read_at_random,
        pick_with_pyarrow,
        pick_with_duckdb,
        list_folder,
        read_footers,
        fetch_with_obstore,
        fetch_with_boto3,
        pick_with_pyarrow_s3,
        pick_with_polars_s3,
        pick_with_httpfs,
        list_with_obstore,
        read_footers_with_pyarrow_s3,
    )
}


def main(task: str, arguments: str) -> None:
    """Prepare, work, print."""
    given = json.loads(arguments)
    times = given.pop("times", 1)
    work = TASKS[task](**given)
    seconds, found = [], 0
    for _ in range(times):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "found": found}), flush=True)
    # What libraries do when a process ends is not measured, and some take seconds or hang.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
