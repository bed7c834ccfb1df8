"""Keys, paths and mount names: built and parsed alike, and never a way out of the namespace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import InvalidKey, InvalidName, InvalidSha, InvalidTarget
from datomfs.layout import (
    Target,
    artifact_prefix,
    check_key,
    history_key,
    history_path,
    metadata_key,
    metadata_path,
    parse_metadata_key,
    parse_table_link_name,
    parse_target,
    parse_version_file_name,
    payload_key,
    short_version,
    snapshot_key,
    table_link_name,
    version_file_name,
)
from datomfs.model.names import is_name

V, D = "ab" * 32, "cd" * 32
NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_ ()-]{0,40}", fullmatch=True).filter(is_name)
SHAS = st.from_regex(r"[0-9a-f]{6,64}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


def test_keys_and_paths_are_those_of_the_format() -> None:
    assert "Table (1)/" == artifact_prefix("Table (1)")
    assert "dm/.metadata/metadata.json" == metadata_key("dm")
    assert "dm/.metadata/version_history.json" == history_key("dm")
    assert f"dm/.metadata/{V}.json" == snapshot_key("dm", V)
    assert f"dm/{D}.parquet" == payload_key("dm", D)
    assert "dm/metadata.json" == metadata_path("dm")
    assert "dm/version_history.json" == history_path("dm")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "datom", ".metadata", "dm\n"])
def test_no_key_or_path_is_built_of_a_bad_name(name: str) -> None:
    for build in (artifact_prefix, metadata_key, history_key, metadata_path, history_path):
        with pytest.raises(InvalidName):
            build(name)
    for build_with_sha in (snapshot_key, payload_key):
        with pytest.raises(InvalidName):
            build_with_sha(name, D)


@pytest.mark.parametrize("sha", ["../../etc", "", "ABCDEF", "abcde"])
def test_no_key_is_built_of_a_bad_sha(sha: str) -> None:
    for build in (snapshot_key, payload_key):
        with pytest.raises(InvalidSha):
            build("dm", sha)


@pytest.mark.parametrize("key", ["a", "a/b.parquet", ".metadata/manifest.json", "Table (1)/.metadata/x", "a/..b", "ü"])
def test_keys_inside_the_namespace_are_taken(key: str) -> None:
    assert key == check_key(key)


@pytest.mark.parametrize(
    "key",
    ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "datom", "datom/a", "a/datom", "a\0"],
)
def test_keys_that_would_leave_the_namespace_are_refused(key: str) -> None:
    with pytest.raises(InvalidKey):
        check_key(key)


@given(NAMES)
def test_an_artifact_is_found_by_its_metadata_key(name: str) -> None:
    assert name == parse_metadata_key(metadata_key(name))
    assert parse_metadata_key(history_key(name)) is None


@pytest.mark.parametrize("key", [".metadata/manifest.json", "a/b/.metadata/metadata.json", "dm/metadata.json", ""])
def test_other_keys_name_no_artifact(key: str) -> None:
    assert parse_metadata_key(key) is None


# -- names in a mount ----------------------------------------------------------------------------------------------


@given(NAMES, SHAS)
def test_both_spellings_of_a_version_are_read(table: str, sha: str) -> None:
    assert sha == parse_version_file_name(table, version_file_name(sha))
    assert sha == parse_version_file_name(table, f"{table}_{sha}.parquet")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "@abcdef",
        "abcdef.parquet",
        "@abcde.parquet",
        "@ABCDEF.parquet",
        "@.parquet",
        f"@{V}0.parquet",
        "ex_abcdef.parquet",
        "dm_abcde.parquet",
        "@abcdef.parquet.parquet",
        "@../../etc.parquet",
    ],
)
def test_other_files_stand_for_no_version(name: str) -> None:
    assert parse_version_file_name("dm", name) is None


@given(NAMES)
def test_a_link_stands_for_its_table(table: str) -> None:
    assert table == parse_table_link_name(table_link_name(table))


@pytest.mark.parametrize("name", ["dm", ".parquet", "../x.parquet", "datom.parquet", "@abcdef.parquet", "a/b.parquet"])
def test_other_files_stand_for_no_table(name: str) -> None:
    assert parse_table_link_name(name) is None


@given(VERSIONS, st.sets(VERSIONS, max_size=4), st.integers(0, 63))
def test_a_short_version_has_eight_digits_or_as_many_as_tell_it(version: str, others: set[str], shared: int) -> None:
    near = version[:shared] + ("0" if version[shared] == "f" else "f") + version[shared + 1 :]
    everyone = others | {version, near}
    short = short_version(version, everyone)
    assert [version] == [other for other in everyone if other.startswith(short)]
    assert len(short) == 8 or [version] != [other for other in everyone if other.startswith(short[:-1])]
    assert 8 <= len(short)


# -- targets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("STUDY_001/dm", Target("STUDY_001", "dm", None)),
        ("STUDY_001/dm@8a3b21cc", Target("STUDY_001", "dm", "8a3b21cc")),
        (f"P/Name with (parens) - v2@{V}", Target("P", "Name with (parens) - v2", V)),
        ("a b/dm ", Target("a b", "dm ", None)),
    ],
)
def test_targets_are_read(text: str, target: Target) -> None:
    assert target == parse_target(text)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", InvalidTarget),
        ("STUDY_001", InvalidTarget),
        ("STUDY_001@8a3b21cc", InvalidTarget),
        ("a/b/c", InvalidTarget),
        ("../x/y", InvalidTarget),
        ("/dm", InvalidName),
        ("STUDY_001/", InvalidName),
        ("../x", InvalidName),
        ("STUDY_001/..", InvalidName),
        ("STUDY_001/dm.parquet", InvalidName),
        ("STUDY_001/dm@", InvalidSha),
        ("STUDY_001/dm@8a3b2", InvalidSha),
        ("STUDY_001/dm@8A3B21CC", InvalidSha),
        ("STUDY_001/dm@../../etc", InvalidSha),
        ("STUDY_001/dm@8a3b21cc@8a3b21cc", InvalidSha),
    ],
)
def test_what_is_no_target_is_refused(text: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        parse_target(text)


@given(NAMES, NAMES, st.none() | SHAS)
def test_a_target_is_read_back_from_its_text(project: str, table: str, version: str | None) -> None:
    text = f"{project}/{table}" + (f"@{version}" if version else "")
    assert Target(project, table, version) == parse_target(text)
