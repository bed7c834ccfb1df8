"""Two roads held against each other: nothing where they agree, and whatever was changed by hand, with its remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.comparison import ASK_GIT, MEND, PULL, REPUBLISH, RESTORE, Difference, compare
from datomfs.catalog.git_documents import GitDocuments
from datomfs.errors import StoreMissing
from datomfs.layout import MANIFEST_KEY, MANIFEST_PATH, history_key, metadata_key, payload_key, snapshot_key
from datomfs.model.location import Location
from datomfs.repo.mirror import Mirror
from datomfs.store.local import LocalStore
from datomfs.write.writer import pull_clone
from tests.builders import Study, make_study, make_table
from tests.repo.histories import add_commit


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """dm in two versions, then back at the first; ex in one."""
    made = make_study(tmp_path)
    made.write("dm", make_table(3), "first")
    made.write("dm", make_table(4), "second")
    made.write("dm", make_table(3), "back")
    made.write("ex", make_table(5), "exposure")
    return made


def compared(study: Study) -> tuple[Difference, ...]:
    """What differs now."""
    documents = GitDocuments(Mirror(study.remote, study.clone.parent / "mirrors"))
    documents.fetch()
    return compare(Catalog(study.name, study.store, documents), study.catalog)


def told(study: Study) -> list[tuple[str | None, str, str]]:
    """The same as plain values."""
    return [(each.artifact, each.found, each.way_out) for each in compared(study)]


def edit(study: Study, key: str, change: Callable[[Any], object]) -> None:
    """Change a document in the store by hand."""
    document = json.loads(study.store.get(key))
    change(document)
    study.store.put(key, json.dumps(document).encode())


def versions(study: Study, table: str) -> list[str]:
    """The versions of a table, newest first."""
    return [entry.version for entry in study.catalog.read_history(table).entries]


def test_what_was_published_whole_is_equal(study: Study) -> None:
    assert () == compared(study)


def test_what_was_pushed_and_not_published_is_told_and_a_pull_mends_it(tmp_path: Path, study: Study) -> None:
    before = {info.key: study.store.get(info.key) for info in study.store.list()}
    study.write("dm", make_table(6), "third")
    study.write("lb", make_table(2), "new")
    payloads = {
        payload_key(name, entry.data_sha) for name in ("dm", "lb") for entry in study.catalog.read_history(name).entries
    }
    for info in list(study.store.list()):
        if info.key in before:
            study.store.put(info.key, before[info.key])
        elif info.key not in payloads:
            study.store.delete(info.key)
    found = compared(study)
    assert {"dm", "lb"} == {each.artifact for each in found}
    assert {PULL} == {each.way_out for each in found}
    with study.repo() as repo:
        pull_clone(repo, study.open_store)
    assert () == compared(study)


def test_a_snapshot_or_payload_that_is_gone_is_named(study: Study) -> None:
    newest, first = versions(study, "dm")
    entry = study.catalog.read_versions("dm").resolve(first)
    study.store.delete(snapshot_key("dm", newest))
    study.store.delete(entry.key)
    assert [
        ("dm", f"the store lacks the snapshot of {newest[:8]}", RESTORE),
        ("dm", f"the store lacks the bytes of {first[:8]}", RESTORE),
    ] == told(study)


def test_metadata_that_was_changed_in_the_store_is_told_by_its_fields(study: Study) -> None:
    edit(study, metadata_key("ex"), lambda document: document.update(nrow=99, custom={"x": "y"}))
    assert [("ex", "the current metadata differs in custom, nrow", REPUBLISH)] == told(study)


def test_histories_are_compared_entry_by_entry_but_for_commits(study: Study) -> None:
    newest, first = versions(study, "dm")
    edit(study, history_key("dm"), lambda entries: [entry.pop("commit_sha") for entry in entries])
    assert [] == told(study)
    edit(study, history_key("dm"), lambda entries: entries[0].update(commit_message="another"))
    assert [("dm", f"the entries of the histories differ for {newest[:8]}", REPUBLISH)] == told(study)
    edit(study, history_key("dm"), lambda entries: entries.pop(0))
    assert [("dm", f"the store's history lacks {newest[:8]}", REPUBLISH)] == told(study)
    edit(study, history_key("dm"), lambda entries: entries.insert(0, {"version": "ab" * 32, "data_sha": "cd" * 32}))
    assert ("dm", "git's history lacks abababab", ASK_GIT) in told(study)
    assert first[:8] not in str(told(study))


def test_of_many_versions_three_are_named(study: Study) -> None:
    extra = [{"version": f"{number:064x}", "data_sha": "cd" * 32} for number in range(10)]
    edit(study, history_key("ex"), lambda entries: entries.extend(extra))
    assert [("ex", "git's history lacks 00000000, 00000000, 00000000 and 7 more", ASK_GIT)] == told(study)


def test_a_row_that_only_the_store_has_is_told(study: Study) -> None:
    edit(study, MANIFEST_KEY, lambda manifest: manifest["artifacts"].update(zz=manifest["artifacts"]["dm"]))
    assert [("zz", f"the manifest in git does not name it, {MANIFEST_KEY} in the store does", ASK_GIT)] == told(study)


def test_a_row_that_differs_is_told_by_its_fields(study: Study) -> None:
    edit(study, MANIFEST_KEY, lambda manifest: manifest["artifacts"]["ex"].update(size_bytes=1, last_updated=None))
    assert [("ex", "the manifests' rows differ in last_updated, size_bytes", PULL)] == told(study)


@pytest.mark.parametrize("key", [history_key("ex"), metadata_key("ex")])
def test_a_document_of_the_store_that_is_broken_or_gone_is_told(study: Study, key: str) -> None:
    study.store.put(key, b"{")
    ((artifact, found, way_out),) = told(study)
    assert ("ex", True, REPUBLISH) == (artifact, found.startswith(f"in the store: {key} in "), way_out)
    study.store.delete(key)
    ((artifact, found, way_out),) = told(study)
    assert ("ex", True, REPUBLISH) == (artifact, "is recorded but missing" in found, way_out)


@pytest.mark.parametrize("path", ["ex/version_history.json", "ex/metadata.json"])
def test_a_document_that_is_broken_in_git_is_told(study: Study, path: str) -> None:
    add_commit(Path(study.remote), {path: b"{"}, 1_900_000_000)
    ((artifact, found, way_out),) = told(study)
    assert ("ex", True, MEND) == (artifact, found.startswith(f"in git: {path} in "), way_out)


def test_a_manifest_that_is_broken_is_told_of_the_project(study: Study) -> None:
    study.store.put(MANIFEST_KEY, b"{")
    assert [(None, PULL)] == [(artifact, way_out) for artifact, _, way_out in told(study)]
    study.store.delete(MANIFEST_KEY)
    assert [(None, PULL)] == [(artifact, way_out) for artifact, _, way_out in told(study)]
    add_commit(Path(study.remote), {MANIFEST_PATH: b"{"}, 1_900_000_000)
    assert [(None, MEND)] == [(artifact, way_out) for artifact, _, way_out in told(study)]


def test_a_store_that_is_not_there_is_no_difference(tmp_path: Path, study: Study) -> None:
    documents = GitDocuments(Mirror(study.remote, tmp_path / "mirrors"))
    nowhere = LocalStore(Location("local", str(tmp_path / "nowhere")))
    with pytest.raises(StoreMissing):
        compare(Catalog(study.name, nowhere, documents), Catalog(study.name, nowhere))
