"""lineage: up through parents, down to children, in every form."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from datomfs.config import default_config_path
from datomfs.identity.metadata import metadata_sha
from datomfs.layout import MANIFEST_KEY, snapshot_key
from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.catalog.documents import X, put_json, put_table, table_state
from tests.cli.command import Datomfs


class Projects:
    """RAW and DERIVED in folders: dm in two versions, of which the old one went into adsl, and adsl into top."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.raw = [self.state("RAW", size_bytes=size, nrow=size) for size in (1, 2)]
        self.adsl = self.state("DERIVED", parents=[self.parent("RAW", "dm", self.raw[0])])
        self.adsl_new = self.state("DERIVED", nrow=7)
        self.top = self.state("DERIVED", parents=[self.parent("DERIVED", "adsl", self.adsl)])
        self.put("RAW", dm=[self.raw[1], self.raw[0]])
        self.put("DERIVED", adsl=[self.adsl_new, self.adsl], top=[self.top])
        sections = (f"[project.{name}]\nstore = '{folder / name}'\n" for name in ("RAW", "DERIVED"))
        default_config_path().parent.mkdir(parents=True, exist_ok=True)
        default_config_path().write_text("".join(sections), encoding="utf-8")

    def state(self, project: str, **fields: Any) -> dict[str, Any]:
        return table_state(project=project, **fields)

    def parent(self, project: str, table: str, state: dict[str, Any]) -> dict[str, Any]:
        return {"source": project, "table": table, "version": metadata_sha(state), "data_sha": X}

    def store(self, project: str) -> LocalStore:
        (self.folder / project / "datom").mkdir(parents=True, exist_ok=True)
        return LocalStore(Location("local", str(self.folder / project)))

    def put(self, project: str, **tables: list[dict[str, Any]]) -> None:
        store = self.store(project)
        rows = {}
        for name, states in tables.items():
            put_table(store, name, *states)
            rows[name] = {"kind": "table", "current_version": metadata_sha(states[0]), "current_data_sha": X}
        put_json(store, MANIFEST_KEY, {"schema_version": 2, "project_name": project, "artifacts": rows})


@pytest.fixture
def projects(tmp_path: Path) -> Projects:
    return Projects(tmp_path)


def short(state: dict[str, Any]) -> str:
    return metadata_sha(state)[:8]


def test_parents_are_told_across_projects(datomfs: Datomfs, projects: Projects) -> None:
    outcome = datomfs("lineage", "DERIVED/top")
    assert (0, "") == (outcome.code, outcome.err)
    assert [
        f"DERIVED/top@{short(projects.top)}",
        f"└── DERIVED/adsl@{short(projects.adsl)}",
        f"    └── RAW/dm@{short(projects.raw[0])}",
    ] == outcome.lines


def test_records_are_those_of_a_mount(datomfs: Datomfs, projects: Projects) -> None:
    told = datomfs("lineage", "DERIVED/top", "--json").json
    assert told == datomfs("lineage", "DERIVED/top", "--up", "--format", "json").json
    assert ("DERIVED", "top", metadata_sha(projects.top)) == (told["project"], told["table"], told["version"])
    assert ["top", "adsl", "dm"] == [record["table"] for record in told["versions"]]


def test_down_leads_to_current_tables_through_versions_that_are_not_any_more(
    datomfs: Datomfs, projects: Projects
) -> None:
    outcome = datomfs("lineage", f"RAW/dm@{metadata_sha(projects.raw[0])}", "--down")
    assert (0, "") == (outcome.code, outcome.err)
    assert [
        f"RAW/dm@{short(projects.raw[0])}",
        f"└── DERIVED/adsl@{short(projects.adsl)}",
        f"    └── DERIVED/top@{short(projects.top)}",
    ] == outcome.lines
    assert [f"RAW/dm@{short(projects.raw[1])}"] == datomfs("lineage", "RAW/dm", "--down").lines


def test_all_versions_are_looked_at_on_request(datomfs: Datomfs, projects: Projects) -> None:
    old = self_made = projects.state("DERIVED", nrow=9, parents=[projects.parent("RAW", "dm", projects.raw[0])])
    projects.put("DERIVED", adsl=[projects.adsl_new, self_made])
    target = f"RAW/dm@{metadata_sha(projects.raw[0])}"
    assert 1 == len(datomfs("lineage", target, "--down").lines)
    told = datomfs("lineage", target, "--down", "--all-versions", "--json").json
    assert [[metadata_sha(old)], []] == [[child["version"] for child in each["children"]] for each in told["versions"]]


def test_what_cannot_be_read_is_told_and_stops_nothing(datomfs: Datomfs, projects: Projects) -> None:
    snapshot = projects.folder / "DERIVED" / "datom" / snapshot_key("adsl", metadata_sha(projects.adsl_new))
    snapshot.chmod(0o644)
    snapshot.write_text("{")
    with default_config_path().open("a", encoding="utf-8") as file:
        file.write("[project.GONE]\nstore = '/nowhere'\n")
    outcome = datomfs("lineage", f"RAW/dm@{metadata_sha(projects.raw[0])}", "--down")
    assert (6, 3) == (outcome.code, len(outcome.lines))
    assert "/nowhere" in outcome.err
    assert f"DERIVED/adsl@{metadata_sha(projects.adsl_new)}: " in outcome.err


def test_down_passes_over_parents_that_cannot_lead_anywhere(datomfs: Datomfs, projects: Projects) -> None:
    nowhere = {"source": "ELSEWHERE", "table": "dm", "version": "ab" * 32, "data_sha": X}
    no_name = {"source": "RAW", "table": "../dm", "version": "ab" * 32, "data_sha": X}
    parents = [nowhere, no_name, projects.parent("RAW", "dm", projects.raw[1])]
    projects.put("DERIVED", adsl=[projects.state("DERIVED", parents=parents)])
    outcome = datomfs("lineage", "RAW/dm", "--down")
    assert (0, "", 2) == (outcome.code, outcome.err, len(outcome.lines))


def test_diagrams_and_pictures_are_whole(datomfs: Datomfs, projects: Projects) -> None:
    drawn = ElementTree.fromstring(datomfs("lineage", "DERIVED/top", "--format", "svg").out)  # noqa: S314  # our own
    assert 3 == len(drawn.findall("{http://www.w3.org/2000/svg}rect"))
    lines = datomfs("lineage", "DERIVED/top", "--format", "mermaid").lines
    assert ("flowchart LR", 7) == (lines[0], len(lines))


def test_a_version_without_metadata_of_its_own_says_what_was_read(datomfs: Datomfs, projects: Projects) -> None:
    put_json(projects.store("RAW"), MANIFEST_KEY, {"schema_version": 2, "artifacts": {}})
    (projects.folder / "RAW" / "datom" / snapshot_key("dm", metadata_sha(projects.raw[0]))).unlink()
    told = datomfs("lineage", f"RAW/dm@{metadata_sha(projects.raw[0])}", "--json").json
    assert "read from the current metadata: the store keeps none of this version" == told["note"]


@pytest.mark.parametrize(
    "arguments", [("RAW",), ("RAW/dm@2999-01-01",), ("RAW/dm", "--all-versions"), ("RAW/dm", "--format", "png")]
)
def test_what_cannot_be_meant_is_refused(datomfs: Datomfs, projects: Projects, arguments: tuple[str, ...]) -> None:
    assert 2 == datomfs("lineage", *arguments).code
