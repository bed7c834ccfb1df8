"""Parents and source lineage, as documents have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datomfs.errors import DocumentInvalid
from datomfs.model.lineage import Parent, parse_parents, source_lineage
from datomfs.model.metadata import Metadata, parse_metadata

RECORD = {"source": "P", "table": "dm", "version": "ab" * 32, "data_sha": "cd" * 32}
PARENT = Parent("P", "dm", "ab" * 32, "cd" * 32)


def metadata(**fields: Any) -> Metadata:
    return parse_metadata(json.dumps({"data_sha": "cd" * 32, **fields}).encode(), "metadata")


def test_parents_are_read_in_order() -> None:
    records = [RECORD, {**RECORD, "table": "ex", "data_sha": {}}]
    assert (PARENT, Parent("P", "ex", "ab" * 32, None)) == parse_parents(metadata(parents=records), "metadata")


@pytest.mark.parametrize("parents", [None, [], {}])
def test_no_parents_are_none(parents: Any) -> None:
    assert () == parse_parents(metadata(parents=parents), "metadata")
    assert () == parse_parents(metadata(), "metadata")


def test_one_parent_may_stand_bare() -> None:
    assert (PARENT,) == parse_parents(metadata(parents=RECORD), "metadata")


@pytest.mark.parametrize("parents", ["dm", 1, [1], [[RECORD]], [{}], [{**RECORD, "version": 1}], [{"table": "dm"}]])
def test_what_is_no_parent_is_refused(parents: Any) -> None:
    with pytest.raises(DocumentInvalid):
        parse_parents(metadata(parents=parents), "metadata")


@pytest.mark.parametrize(
    ("recorded", "told"), [([], []), ({}, []), (None, None), ([{"a": 1}], [{"a": 1}]), ({"a": 1}, [{"a": 1}])]
)
def test_source_lineage_is_told_as_it_was_recorded(recorded: Any, told: Any) -> None:
    assert told == source_lineage(metadata(source_lineage=recorded))
    assert source_lineage(metadata()) is None
