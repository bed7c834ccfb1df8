"""Any sequence of writes: one history entry a version, a true manifest, a clean clone, a mirror, readable values."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import datom
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datomfs.errors import DataRefused
from datomfs.identity.parquet import read_parquet
from datomfs.identity.table import hash_table
from datomfs.layout import MANIFEST_KEY, MANIFEST_PATH, history_key, metadata_key, metadata_path, payload_key
from datomfs.write.payload import upload_payload
from datomfs.write.plan import Action
from tests.builders import Study, git, make_study, make_table, open_folder_store

_GOLDEN = Path(__file__).parents[1] / "golden/data-sha"
_TABLES = [make_table(rows, seed) for rows, seed in ((3, 0), (4, 1), (5, 2))]
_WRITES = st.tuples(st.sampled_from(["dm", "ex"]), st.sampled_from([0, 1, 2]), st.sampled_from([None, "a", "b"]))


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.lists(_WRITES, min_size=1, max_size=6))
def test_any_sequence_of_writes_leaves_a_true_record(writes: list[tuple[str, int, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder))
        current: dict[str, str] = {}
        made: dict[str, dict[str, int]] = {"dm": {}, "ex": {}}
        for table, data, note in writes:
            result = study.write(table, _TABLES[data], custom={"note": note} if note else {})
            same = current.get(table) == result.version
            assert same == (result.action is Action.UNCHANGED)
            current[table] = result.version
            made[table][result.version] = data
        _check_record(study, current, made)


def _check_record(study: Study, current: dict[str, str], made: dict[str, dict[str, int]]) -> None:
    catalog = study.catalog
    manifest = catalog.read_manifest()
    assert current == {name: row.current_version for name, row in manifest.rows.items()}
    assert "" == git(study.clone, "status", "--porcelain")
    assert (study.clone / MANIFEST_PATH).read_bytes() == study.store.get(MANIFEST_KEY)
    reader = datom.get_conn(datom.store_local(study.location.root), project_name=study.name)
    for name in current:
        table = catalog.read_table(name)
        versions = [entry.version for entry in table.history.entries]
        assert list(reversed(made[name])) == versions
        assert current[name] == table.resolve(None).version
        assert (study.clone / metadata_path(name)).read_bytes() == study.store.get(metadata_key(name))
        stored = json.loads(study.store.get(history_key(name)))
        ours = json.loads((study.clone / name / "version_history.json").read_text())
        assert ours == [{field: value for field, value in entry.items() if field != "commit_sha"} for entry in stored]
        for version, data in made[name].items():
            assert _TABLES[data].equals(datom.read(reader, name, version=version, as_arrow=True))
    rows = manifest.rows.values()
    assert {
        "total_tables": len(current),
        "total_size_bytes": sum(row.size_bytes or 0 for row in rows),
        "total_versions": sum(len(versions) for name, versions in made.items()),
        "total_sets": 0,
    } == manifest.document["summary"]


@pytest.mark.parametrize("folder", ["py", "r"])
def test_what_is_stored_has_the_values_its_name_says(tmp_path: Path, folder: str) -> None:
    study = make_study(tmp_path)
    store = open_folder_store(study.name, study.location)
    stored = 0
    for file in sorted((_GOLDEN / folder).glob("*.parquet")):
        try:
            table = read_parquet(file)
            data_sha = hash_table(table).data_sha
        except DataRefused:
            continue
        upload_payload(store, "dm", table, data_sha, tmp_path)
        path = store.local_path(payload_key("dm", data_sha))
        assert path is not None
        assert data_sha == hash_table(read_parquet(path)).data_sha, file.name
        assert pq.read_metadata(path).num_rows == table.num_rows
        stored += 1
    assert stored > 50
