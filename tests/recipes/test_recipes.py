"""The pages of docs/recipes, run against a mount of the study they speak of: their code works, their paths are there.

What cannot be installed with pip (R's arrow, SAS, Stata, Spark) is not run: of those the paths are checked.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datomfs.example.study import DOMAINS, make_domain
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import MANIFEST_KEY, history_key, metadata_key, payload_key, snapshot_key
from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.catalog.documents import put_json, table_state
from tests.mounts import PROJECT, Mount, kernel_test, mounted, sha256
from tests.recipes.pages import MOUNTPOINT, PAGES, PIN, Block, blocks_of, paths_in

pytestmark = kernel_test

NAMES = sorted(page.name for page in PAGES.glob("*.md"))
BLOCKS = [block for name in NAMES for block in blocks_of(PAGES / name)]
RUN = {"python", "sql", "sh"}
NOT_RUN = {"r", "sas", "stata", "spark"}
CUTOFFS = (date(2026, 2, 28), date(2026, 5, 28))
"""Before 31 March 2026, and after."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A mount of the example study in two versions, and the older one of dm."""

    mount: Mount
    old: str

    def here(self, text: str) -> str:
        """A page's text with the mountpoint and the version of this mount."""
        return text.replace(MOUNTPOINT, str(self.mount.path)).replace(PIN, self.old[:8])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "store").mkdir()
    store = LocalStore(Location("local", str(folder / "store")))
    rows: dict[str, Any] = {}
    entries: dict[str, list[dict[str, Any]]] = {}
    for domain in DOMAINS:
        entries[domain] = []
        for cutoff in CUTOFFS:
            file = io.BytesIO()
            pq.write_table(make_domain(domain, cutoff), file)
            data_sha, moment = sha256(f"{domain} {cutoff}".encode()), f"{cutoff}T12:00:00Z"
            store.put(payload_key(domain, data_sha), file.getvalue())
            state = table_state(data_sha, created_at=moment)
            put_json(store, metadata_key(domain), state)
            put_json(store, snapshot_key(domain, metadata_sha(state)), state)
            parquet_sha = sha256(file.getvalue())
            entry = {"version": metadata_sha(state), "data_sha": data_sha, "timestamp": moment}
            entries[domain].insert(0, {**entry, "parquet_sha": parquet_sha})
        newest = entries[domain][0]
        rows[domain] = {
            "kind": "table",
            "current_version": newest["version"],
            "current_data_sha": newest["data_sha"],
            "last_updated": newest["timestamp"],
        }
        put_json(store, history_key(domain), entries[domain])
    put_json(store, MANIFEST_KEY, {"schema_version": 2, "project_name": PROJECT, "artifacts": rows})
    with mounted(folder, "--store", str(folder / "store"), "--project", PROJECT) as mount:
        yield Shown(mount, entries["dm"][-1]["version"])


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in RUN], ids=str)
def test_code_runs_and_prints_what_the_page_says(block: Block, shown: Shown, tmp_path: Path) -> None:
    programs = {
        "python": [sys.executable, "-W", "error", "-c"],
        "sql": [sys.executable, "-c", "import duckdb, sys; print(duckdb.sql(sys.argv[1]) or '', end='')"],
        "sh": ["bash", "-euc"],
    }
    environment = shown.mount.desk.environment
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*programs[block.language], shown.here(block.code)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    if block.output is not None:
        assert shown.here(block.output) == done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_path_of_a_page_is_there(name: str, shown: Shown) -> None:
    page = (PAGES / name).read_text(encoding="utf-8")
    paths = paths_in(page)
    assert paths
    missing = [path for path in paths if not Path(shown.here(path)).exists()]
    assert [] == missing


def test_every_block_is_run_or_known_not_to_be() -> None:
    assert {block.language for block in BLOCKS} <= RUN | NOT_RUN
    assert {"python.md", "duckdb.md", "r.md", "sas.md", "stata.md", "spark.md", "README.md"} == set(NAMES)
