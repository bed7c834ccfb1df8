"""project.yaml: R's own files, ours to the byte, and what people make of them by hand."""

from __future__ import annotations

import json
import tarfile
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import DocumentInvalid, SchemaInvalid, SchemaUnsupported
from datomfs.model.location import Location
from datomfs.model.names import is_name
from datomfs.model.project import Project, parse_project, render_project
from tests.identity.r_stores import FOLDER, needs_r_stores

REMOTE = "https://github.com/acme/demo.git"

# format.md §4.1 in block style
FOLDER_PROJECT = f"""project_name: demo-product
project_description: ''
created_at: '2026-11-20'
datom_version: 0.2.0
schema_version: 1
storage:
  data:
    type: local
    root: /data/store
    prefix: ~
  max_file_size_gb: 1000.0
repos:
  data:
    remote_url: {REMOTE}
sync:
  continue_on_error: yes
  parallel_uploads: 4
renv: no
"""


def parse(text: str) -> Project:
    return parse_project(text.encode(), "project.yaml")


def test_a_folder_project_is_written_as_r_writes_it() -> None:
    project = Project("demo-product", Location("local", "/data/store"), REMOTE, None)
    assert FOLDER_PROJECT == render_project(project, date(2026, 11, 20))
    assert project == parse(FOLDER_PROJECT)


def test_a_bucket_project_has_its_prefix_and_region() -> None:
    project = Project("demo", Location("s3", "bucket", "trial/a", "eu-central-1"), REMOTE, None)
    place = "    type: s3\n    root: bucket\n    prefix: trial/a\n    region: eu-central-1\n"
    assert place in render_project(project, date(2026, 11, 20))
    assert project == parse(render_project(project, date(2026, 11, 20)))


@pytest.mark.parametrize("name", ["y", "N", "yes", "No", "on", "true", "Null"])
def test_a_name_that_yaml_takes_for_something_else_stands_in_quotes(name: str) -> None:
    text = render_project(Project(name, Location("local", "/d"), REMOTE, None), date(2026, 11, 20))
    assert f"project_name: '{name}'" == text.splitlines()[0]
    assert name == parse(text).name


def test_unknown_keys_are_tolerated_for_ever() -> None:
    text = FOLDER_PROJECT + "mode: product\nset: demo-set\nours: {deep: [1, 2]}\n"
    assert parse(FOLDER_PROJECT) == parse(text)


def test_an_absent_schema_number_is_one_and_a_higher_is_refused() -> None:
    assert parse(FOLDER_PROJECT) == parse(FOLDER_PROJECT.replace("schema_version: 1\n", ""))
    with pytest.raises(SchemaUnsupported) as caught:
        parse(FOLDER_PROJECT.replace("schema_version: 1", "schema_version: 2"))
    assert (2, 1) == (caught.value.found, caught.value.supported)


@pytest.mark.parametrize("number", ["'1'", "1.5", "yes", "[]", "{}", "0", ".inf", ".nan"])
def test_a_schema_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(SchemaInvalid):
        parse(FOLDER_PROJECT.replace("schema_version: 1", f"schema_version: {number}"))


@pytest.mark.parametrize(("floor", "text"), [("0.2.0", "0.2.0"), ("'0.10'", "0.10"), ("0.3", "0.3"), ("~", None)])
def test_the_floor_for_writers_is_a_text(floor: str, text: str | None) -> None:
    assert text == parse(f"{FOLDER_PROJECT}min_writer_version: {floor}\n").min_writer_version


@pytest.mark.parametrize("nothing", ["~", "''", "{}", "[]", "null", ""])
def test_no_prefix_is_no_prefix_however_it_is_spelled(nothing: str) -> None:
    assert parse(FOLDER_PROJECT) == parse(FOLDER_PROJECT.replace("prefix: ~", f"prefix: {nothing}"))


@pytest.mark.parametrize("prefix", ["2026", "yes", "1.0", "2026-11-20", "[a]"])
def test_a_prefix_that_yaml_takes_for_something_else_is_refused(prefix: str) -> None:
    """Read as no prefix, it would be the location of another project."""
    with pytest.raises(DocumentInvalid, match=r"storage\.data\.prefix is not a text; put it in quotes"):
        parse(FOLDER_PROJECT.replace("prefix: ~", f"prefix: {prefix}"))


def test_a_project_may_lack_its_remote() -> None:
    assert parse(FOLDER_PROJECT.replace(f"remote_url: {REMOTE}", "remote_url: ~")).remote_url is None
    assert parse(FOLDER_PROJECT.split("repos:")[0]).remote_url is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("project_name: demo-product\n", ""),
        ("project_name: demo-product", "project_name: ../x"),
        ("project_name: demo-product", "project_name: 7"),
        ("    type: local\n", ""),
        ("type: local", "type: ftp"),
        ("root: /data/store", "root: ''"),
        ("root: /data/store", "root: 7"),
        ("storage:", "somewhere:"),
        ("  data:\n    type", "  data: x\n  other:\n    type"),
        ("project_name: demo-product", "project_name: [unclosed"),
        ("created_at: '2026-11-20'", "created_at: 2026-99-99"),
        ("project_name: demo-product", "project_name: !!python/object/apply:os.getcwd []"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(old: str, new: str) -> None:
    text = FOLDER_PROJECT.replace(old, new)
    assert text != FOLDER_PROJECT
    with pytest.raises(DocumentInvalid) as caught:
        parse(text)
    assert "project.yaml" == caught.value.where
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("data", [b"", b"- a\n- b\n", b"just text", b"\xff\xfe", b"[[[[[[", b"a: b: c"])
def test_what_is_no_mapping_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        parse_project(data, "project.yaml")


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(DocumentInvalid):
        parse_project(b"[" * 5000, "project.yaml")


NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_ ()-]{0,40}", fullmatch=True).filter(is_name)
TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Cn"]), min_size=1)


@given(
    st.builds(
        Project,
        NAMES,
        st.builds(Location, st.sampled_from(["s3", "local"]), TEXT, st.none() | TEXT, st.none() | TEXT),
        st.none() | TEXT,
        st.none(),
    )
)
def test_what_is_rendered_is_parsed_as_it_was(project: Project) -> None:
    assert project == parse(render_project(project, date(2026, 11, 20)))


@needs_r_stores
@pytest.mark.parametrize(
    ("study", "name", "prefix"), [("solo-study", "STUDY_001", None), ("solo-prefix", "PREFIXED", "trial/a")]
)
def test_the_file_of_an_r_project_is_read_and_ours_differs_in_the_release_only(
    study: str, name: str, prefix: str | None
) -> None:
    with tarfile.open(FOLDER / study / "clone.tar.gz") as archive:
        (member,) = (one for one in archive.getmembers() if one.name.endswith(".datom/project.yaml"))
        file = archive.extractfile(member)
        assert file is not None
        text = file.read().decode()
    project = parse(text)
    made = json.loads((FOLDER / study / "expected.json").read_text(encoding="utf-8"))
    assert Project(name, Location("local", made["store_root"], prefix), made["remote_url"], None) == project
    theirs = text.replace("datom_version: 0.1.1\n", "datom_version: 0.2.0\nschema_version: 1\n")
    assert theirs == render_project(project, date(2026, 11, 21))
