"""What is read: tables of known bytes in a bucket, and the same bytes in files that no mount stands before.

Some payloads are attested and some are not, some are parquet; the names of their files say which. Readers of other
processes find all of it in one folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3

from datomfs.model.location import Location
from datomfs.model.s3 import S3Settings
from datomfs.store.s3 import S3Store
from tests.kernel.bad_days import MIB, AttestingStore, parquet, plain
from tests.mounts import StoredProject
from tests.s3_server import REGION, S3Server

_ROWS = 150_000  # 6 MiB

_BODIES: Mapping[str, bytes] = {
    "small": plain("small", 100_000),
    "middle": plain("middle", 2 * MIB + 777),
    "large": plain("large", 12 * MIB + 1),
    "columns": parquet("columns", _ROWS),
}


@dataclass(frozen=True, slots=True)
class Material:
    """A project in a bucket, and a folder with `tables.json`: for each file in the mount the file of its bytes."""

    stored: StoredProject
    folder: Path
    attesting: AttestingStore
    plain: S3Store

    @property
    def total(self) -> int:
        """The bytes of all payloads."""
        return sum(len(versions[-1].body) for versions in self.stored.tables.values())

    def take_away(self, table: str) -> None:
        """Remove the object of a table."""
        self.plain.delete(self.stored.tables[table][-1].key)

    def put_back(self, table: str, body: bytes | None = None) -> None:
        """Put the object of a table where it was, or other bytes in its place."""
        version = self.stored.tables[table][-1]
        store = self.attesting if table.startswith("attested") else self.plain
        store.put(version.key, version.body if body is None else body)


def make_material(folder: Path, server: S3Server) -> Material:
    """All tables, put into a new bucket of `server`."""
    folder.mkdir()
    location = Location("s3", server.create_bucket("soak"), "study", REGION)
    session = boto3.Session(server.access_key, server.secret_key, region_name=REGION)
    store = S3Store(location, S3Settings(endpoint=server.endpoint), session)
    attesting = AttestingStore(store, folder)
    stored = StoredProject(store)
    files = {}
    for kind, target in (("attested", attesting), ("unattested", store)):
        stored.store = target  # type: ignore[assignment]
        for name, body in _BODIES.items():
            table = f"{kind}-{name}"
            own = body if name == "columns" else body[::-1] if kind == "attested" else body
            (version,) = stored.put(table, own)
            (folder / table).write_bytes(own)
            files[f"{stored.name}/{table}/{version.name}"] = table
    (folder / "tables.json").write_text(json.dumps(files), encoding="ascii")
    return Material(stored, folder, attesting, store)
