"""Locks: their bytes, what is read back of them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from datomfs.errors import DocumentError, DocumentInvalid, SchemaInvalid, SchemaUnsupported
from datomfs.model.location import Location
from datomfs.model.lock import Lock, LockedProject, LockedTable, parse_lock, render_lock

DM = LockedTable("dm", "8a" * 32, "11" * 32, "22" * 32, 1234, "2026-03-01T00:00:00Z")
EX = LockedTable("ex", "5d" * 32, "33" * 32, None, 0, None)
STUDY = LockedProject(
    "STUDY_001", "2026-03-31", Location("s3", "bucket", "p", "eu-central-1"), "https://git/x.git", "c0" * 20, (DM, EX)
)
OTHER = LockedProject("A", None, Location("local", "/data/a"), "/data/a", None, ())
LOCK = Lock("2026-04-01T09:00:00Z", (OTHER, STUDY))

TEXT = """{
  "schema_version": 1,
  "created_at": "2026-04-01T09:00:00Z",
  "projects": [
    {
      "name": "A",
      "location": {
        "type": "local",
        "root": "/data/a"
      },
      "documents": "/data/a",
      "tables": []
    },
"""


def changed(change: Callable[[Any], object]) -> bytes:
    """A good lock, changed by hand."""
    document = json.loads(render_lock(LOCK))
    change(document)
    return json.dumps(document).encode()


def dm_of(document: Any) -> Any:
    """The table dm of STUDY_001 in a parsed lock."""
    return document["projects"][1]["tables"][0]


def test_the_bytes_follow_from_the_values_whatever_their_order() -> None:
    assert render_lock(LOCK).startswith(TEXT)
    shuffled = Lock(LOCK.created_at, (replace(STUDY, tables=(EX, DM)), OTHER))
    assert render_lock(LOCK) == render_lock(shuffled)


def test_a_lock_is_read_back_as_it_was() -> None:
    assert LOCK == parse_lock(render_lock(LOCK).encode(), "x.lock")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lock: lock.pop("schema_version"), "no schema_version"),
        (lambda lock: lock.pop("created_at"), "no created_at"),
        (lambda lock: lock.pop("projects"), "projects is not a list"),
        (lambda lock: lock["projects"].append("x"), "not an object"),
        (lambda lock: lock["projects"].append(lock["projects"][0]), "projects has 'A' twice"),
        (lambda lock: lock["projects"][1]["tables"].append(dm_of(lock)), "tables has 'dm' twice"),
        (lambda lock: lock["projects"][1].pop("location"), "no location"),
        (lambda lock: lock["projects"][1]["location"].update(type="ftp"), "neither s3 nor local"),
        (lambda lock: lock["projects"][1].pop("documents"), "no documents"),
        (lambda lock: lock["projects"][0].update(name="../etc"), "'../etc', which is not legal"),
        (lambda lock: dm_of(lock).update(name="a/b"), "'a/b', which is not legal"),
        (lambda lock: dm_of(lock).update(name=7), "name is not a text"),
        (lambda lock: dm_of(lock).update(version="8a" * 4), "8 digits, not 64"),
        (lambda lock: dm_of(lock).update(version="../" + "8a" * 32), "version is not 6 to 64"),
        (lambda lock: dm_of(lock).update(data_sha="X" * 64), "data_sha is not 6 to 64"),
        (lambda lock: dm_of(lock).pop("data_sha"), "no data_sha"),
        (lambda lock: dm_of(lock).update(parquet_sha=".."), "parquet_sha is not 6 to 64"),
        (lambda lock: dm_of(lock).pop("size_bytes"), "no size_bytes"),
        (lambda lock: dm_of(lock).update(size_bytes=-1), "size_bytes is not a count"),
        (lambda lock: dm_of(lock).update(timestamp=[1]), "timestamp is not a text"),
    ],
)
def test_what_is_no_lock_is_refused_with_the_reason(change: Callable[[Any], object], says: str) -> None:
    with pytest.raises(DocumentInvalid, match=says) as refused:
        parse_lock(changed(change), "x.lock")
    assert refused.value.where.startswith("x.lock")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        parse_lock(data, "x.lock")


def test_other_schema_numbers_are_refused() -> None:
    with pytest.raises(SchemaUnsupported):
        parse_lock(changed(lambda lock: lock.update(schema_version=2)), "x.lock")
    for number in (0, "1", 1.5, None):
        with pytest.raises((SchemaInvalid, DocumentInvalid)):
            parse_lock(changed(lambda lock, number=number: lock.update(schema_version=number)), "x.lock")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["dm", "8a" * 32]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = {
    "schema_version": st.just(1) | JSON,
    "created_at": st.just("2026-04-01T09:00:00Z") | JSON,
    "name": st.sampled_from(["dm", "ex", "../x", "a/b"]) | JSON,
    "location": st.just({"type": "s3", "root": "bucket"}) | JSON,
    "documents": st.just("x") | JSON,
    "version": st.just("8a" * 32) | JSON,
    "data_sha": st.just("11" * 32) | JSON,
    "parquet_sha": st.just("22" * 32) | JSON,
    "size_bytes": st.integers() | JSON,
    "timestamp": st.just("2026-03-01T00:00:00Z") | JSON,
}


def objects(*names: str, **others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with these fields, some of them wrong."""
    return st.fixed_dictionaries({**{name: FIELDS[name] for name in names}, **others})


TABLES = st.lists(objects("name", "version", "data_sha", "parquet_sha", "size_bytes", "timestamp") | JSON, max_size=3)
PROJECTS = st.lists(objects("name", "location", "documents", tables=TABLES | JSON) | JSON, max_size=3)


@given(objects("schema_version", "created_at", projects=PROJECTS | JSON))
def test_a_hostile_lock_is_refused_or_holds_what_may_become_keys(document: Any) -> None:
    try:
        lock = parse_lock(json.dumps(document).encode(), "x.lock")
    except DocumentError:
        return
    assert lock == parse_lock(render_lock(lock).encode(), "x.lock")
    for project in lock.projects:
        names = [project.name, *(table.name for table in project.tables)]
        assert not any("/" in name or ".." in name for name in names)
        assert len({table.name for table in project.tables}) == len(project.tables)
        assert all({*table.version} <= {*"0123456789abcdef"} and table.size_bytes >= 0 for table in project.tables)
