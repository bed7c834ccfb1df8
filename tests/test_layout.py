"""Keys, paths and mount names: built and parsed alike, and never a way out of the namespace."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.errors import InvalidKey, InvalidName, InvalidSha, InvalidTarget, UsageError
from datomfs.layout import (
    Selection,
    Target,
    When,
    artifact_prefix,
    check_key,
    dated_name,
    history_key,
    history_path,
    metadata_key,
    metadata_path,
    parse_as_of_name,
    parse_dated_name,
    parse_metadata_key,
    parse_selection,
    parse_table_link_name,
    parse_target,
    parse_version_directory_name,
    parse_version_file_name,
    parse_when,
    parse_xattr_name,
    payload_key,
    set_payload_key,
    short_version,
    snapshot_key,
    table_link_name,
    version_directory_name,
    version_file_name,
    xattr_name,
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
    assert f"dm/{D}.json" == set_payload_key("dm", D)
    assert "dm/metadata.json" == metadata_path("dm")
    assert "dm/version_history.json" == history_path("dm")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "datom", ".metadata", "dm\n"])
def test_no_key_or_path_is_built_of_a_bad_name(name: str) -> None:
    for build in (artifact_prefix, metadata_key, history_key, metadata_path, history_path):
        with pytest.raises(InvalidName):
            build(name)
    for build_with_sha in (snapshot_key, payload_key, set_payload_key):
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


def test_attributes_stand_in_a_namespace_of_their_own() -> None:
    assert "user.datom.verified" == xattr_name("verified")


@given(VERSIONS, st.sets(VERSIONS, max_size=4), st.integers(0, 63))
def test_a_short_version_has_eight_digits_or_as_many_as_tell_it(version: str, others: set[str], shared: int) -> None:
    near = version[:shared] + ("0" if version[shared] == "f" else "f") + version[shared + 1 :]
    everyone = others | {version, near}
    short = short_version(version, everyone)
    assert [version] == [other for other in everyone if other.startswith(short)]
    assert len(short) == 8 or [version] != [other for other in everyone if other.startswith(short[:-1])]
    assert 8 <= len(short)


# -- moments ------------------------------------------------------------------------------------------------------


def ns(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "next_ns"),
    [
        ("2026-03-31", ns(2026, 4, 1)),
        ("2024-02-29", ns(2024, 3, 1)),
        ("1970-01-01", ns(1970, 1, 2)),
        ("1969-12-31", 0),
        ("9999-12-31", ns(9999, 12, 31) + 86_400 * 10**9),
        ("20260331T235959Z", ns(2026, 4, 1)),
        ("20260331T000000Z", ns(2026, 3, 31, 0, 0, 1)),
    ],
)
def test_a_moment_ends_with_the_last_nanosecond_of_its_day_or_second(text: str, next_ns: int) -> None:
    assert When(text, next_ns - 1) == parse_when(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "20260331", "2026-02-30", "2025-02-29", "2026-13-01", "0000-01-01", "2026-3-1", "26-03-31", "2026-03-31Z",
        "2026-03-31 ", "2026-03-31\n", "\uff12026-03-31", "2026-03-31T00:00:00Z", "20260331T250000Z",
        "20260331T235960Z", "20260331T235959", "20260331t235959z",
    ],
)  # fmt: skip
def test_other_texts_are_no_moment(text: str) -> None:
    assert parse_when(text) is None


def test_a_project_s_directory_as_of_a_moment_is_the_moment_with_an_at_sign() -> None:
    assert parse_when("2026-03-31") == parse_as_of_name("@2026-03-31")
    assert [None] * 4 == [parse_as_of_name(name) for name in ("2026-03-31", "@", "@@2026-03-31", "@8a3b21cc")]


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


# -- selections ---------------------------------------------------------------------------------------------------

DAYS = st.dates().map(date.isoformat)
SECONDS = st.datetimes().map(lambda moment: f"{moment.year:04}{moment:%m%dT%H%M%SZ}")
NIGHT = When("2026-03-31", ns(2026, 4, 1) - 1)


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("STUDY_001", Selection("STUDY_001")),
        ("STUDY_001@2026-03-31", Selection("STUDY_001", when=NIGHT)),
        ("STUDY_001/dm", Selection("STUDY_001", "dm")),
        ("STUDY_001/dm@8a3b21cc", Selection("STUDY_001", "dm", "8a3b21cc")),
        ("STUDY_001/dm@20260331", Selection("STUDY_001", "dm", "20260331")),
        ("STUDY_001/dm@2026-03-31", Selection("STUDY_001", "dm", when=NIGHT)),
        (
            "STUDY_001/dm@20260331T235959Z",
            Selection("STUDY_001", "dm", when=When("20260331T235959Z", NIGHT.time_ns)),
        ),
        (f"a b/Name with (parens) - v2@{V}", Selection("a b", "Name with (parens) - v2", V)),
    ],
)
def test_selections_are_read(text: str, selection: Selection) -> None:
    assert selection == parse_selection(text)


@pytest.mark.parametrize(
    ("text", "refusal", "says"),
    [
        ("", InvalidName, "it is empty"),
        ("a/b/c", InvalidTarget, "does not have the form PROJECT[/TABLE][@DATE] or PROJECT/TABLE@VERSION"),
        ("STUDY_001@8a3b21cc", InvalidTarget, "or PROJECT/TABLE@VERSION"),
        ("STUDY_001@20260331", InvalidTarget, "or PROJECT/TABLE@VERSION"),
        ("STUDY_001@", InvalidTarget, "or PROJECT/TABLE@VERSION"),
        ("STUDY_001@2026-02-30", InvalidTarget, "DATE is a day that exists, YYYY-MM-DD, or YYYYMMDDTHHMMSSZ"),
        ("STUDY_001/dm@2026-02-30", InvalidTarget, "DATE is a day that exists"),
        ("STUDY_001/dm@20260331T9", InvalidTarget, "DATE is a day that exists"),
        ("STUDY_001/dm@", InvalidSha, "is not a version"),
        ("STUDY_001/dm@8a3b2", InvalidSha, "is not a version"),
        ("STUDY_001/dm@8A3B21CC", InvalidSha, "is not a version"),
        ("STUDY_001/dm@8a3b21cc@8a3b21cc", InvalidSha, "is not a version"),
        ("STUDY_001/", InvalidName, "it is empty"),
        ("/dm", InvalidName, "it is empty"),
        ("../x", InvalidName, "does not start with a letter"),
        ("STUDY_001/dm.parquet", InvalidName, "not allowed"),
    ],
)
def test_what_is_no_selection_is_refused(text: str, refusal: type[UsageError], says: str) -> None:
    with pytest.raises(refusal) as caught:
        parse_selection(text)
    assert says in caught.value.what


@given(NAMES, st.none() | NAMES, st.none() | DAYS | SECONDS)
def test_a_dated_selection_is_read_back_from_its_text(project: str, table: str | None, when: str | None) -> None:
    text = project + (f"/{table}" if table else "") + (f"@{when}" if when else "")
    found = parse_selection(text)
    assert (project, table, None) == found[:3]
    assert text == str(found)


@given(NAMES, NAMES, SHAS)
def test_a_pinned_selection_is_read_back_from_its_text(project: str, table: str, sha: str) -> None:
    selection = Selection(project, table, sha)
    assert selection == parse_selection(str(selection))


@given(st.dates(), st.times())
def test_a_day_ends_with_its_last_second(day: date, at: time) -> None:
    whole, second = parse_when(day.isoformat()), parse_when(f"{day.year:04}{day:%m%d}T{at:%H%M%S}Z")
    assert whole is not None
    assert second is not None
    assert second.time_ns <= whole.time_ns
    assert (second.time_ns == whole.time_ns) is (at.replace(microsecond=0) == time(23, 59, 59))


# -- names of sets, documents and attributes -----------------------------------------------------------------------


@given(SHAS)
def test_the_directory_of_a_version_is_read_as_it_is_built(sha: str) -> None:
    assert sha == parse_version_directory_name(version_directory_name(sha))


@pytest.mark.parametrize("name", ["", "@", "abcdef", "@abcde", "@ABCDEF", "@abcdef.parquet", "@@abcdef", "@abcdef/"])
def test_what_is_no_directory_of_a_version_is_none(name: str) -> None:
    assert parse_version_directory_name(name) is None


@given(st.integers(-(10**19), 2 * 10**20), SHAS)
def test_a_dated_name_is_read_as_it_is_built(time_ns: int, sha: str) -> None:
    name = dated_name(time_ns, sha)
    assert sha == parse_dated_name(name)
    assert not set(":=*?[") & set(name)


def test_a_dated_name_has_the_second_of_its_version() -> None:
    assert "2026-01-28T101500Z_8a3b21cc" == dated_name(1769595300 * 10**9, "8a3b21cc")
    assert "1900-01-01T000000Z_8a3b21cc" == dated_name(-2208988800 * 10**9, "8a3b21cc")
    assert "undated_8a3b21cc" == dated_name(0, "8a3b21cc")


@pytest.mark.parametrize(
    "name",
    ["", "8a3b21cc", "_8a3b21cc", "2026-01-28T101500Z_8a3b2", "2026-01-28T101500Z_8A3B21CC", "2026-01-28_8a3b21cc",
     "2026-01-28T10:15:00Z_8a3b21cc", "undated_8a3b21cc.parquet"],
)  # fmt: skip
def test_what_is_no_dated_name_is_none(name: str) -> None:
    assert parse_dated_name(name) is None


def test_an_attribute_is_read_as_it_is_named() -> None:
    assert "member.dm.parquet" == parse_xattr_name(xattr_name("member.dm.parquet"))
    for foreign in ("user.verified", "datom.verified", "security.selinux", ""):
        assert parse_xattr_name(foreign) is None
