"""diff: which versions are meant, what is told of them, and how the command ends."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datomfs.compare.stored import StoredTable
from datomfs.layout import payload_key, snapshot_key
from tests.builders import Study, make_study, make_table
from tests.cli.cached import label
from tests.cli.command import Datomfs
from tests.identity.r_stores import FOLDER, needs_r_stores
from tests.kernel.bad_days import AttestingStore
from tests.mounts import StoredProject, store_options, stored_in


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """lb in three versions: two rows, then one changed, one dropped and two added, then with a column more."""
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Dana")
            patch.setenv(f"GIT_{role}_EMAIL", "dana@example.org")
        made = make_study(tmp_path_factory.mktemp("labs"), "LABS")
        first = pa.table({"ID": ["01", "02"], "TEST": ["ALT", "ALT"], "AVAL": [1.5, 2.0], "N": [1, 2]})
        made.write("lb", first)
        second = pa.table(
            {"ID": ["01", "03", "04"], "TEST": ["ALT"] * 3, "AVAL": [1.5000001, 7.0, None], "N": [1, 3, 4]}
        )
        made.write("lb", second)
        made.write("lb", second.append_column("NEW", pa.array(["x"] * 3)))
        made.write("copy", first)
    return made


@pytest.fixture
def options(labs: Study) -> tuple[str, ...]:
    return ("--store", labs.location.root, "--project", labs.name)


@pytest.fixture
def in_folder(tmp_path: Path) -> StoredProject:
    return stored_in(tmp_path / "store")


@pytest.fixture
def version(labs: Study) -> Callable[[int], str]:
    """A version of lb by its age: 0 is the oldest."""
    entries = labs.catalog.read_history("lb").entries
    return lambda nth: entries[-1 - nth].version


def test_two_versions_are_told_apart_by_key(
    datomfs: Datomfs, options: tuple[str, ...], version: Callable[[int], str]
) -> None:
    first, second = version(0)[:8], version(1)[:8]
    outcome = datomfs("diff", f"LABS/lb@{first}", f"@{second}", "--key", "ID,TEST", *options)
    assert (10, "") == (outcome.code, outcome.err)
    timestamp = outcome.lines[1].split()[2]
    assert [
        "       VERSION           TIMESTAMP             ROWS  COLUMNS  VERIFIED",
        f"base   LABS/lb@{first}  {timestamp}  2     4        full",
        f"other  LABS/lb@{second}  {outcome.lines[2].split()[2]}  3     4        full",
        "",
        "columns in common              4",
        "columns with differing values  1",
        "rows matched by                ID, TEST",
        "rows in common                 1",
        "rows only in base              1",
        "rows only in other             2",
        "rows with differing values     1",
        "result                         they differ",
        "",
        "Values that differ, by column",
        "COLUMN  ROWS  MISSING IN ONE  GREATEST DIFFERENCE",
        "AVAL    1     0               1.0000000005838672e-07",
        "",
        "Rows that differ",
        "ROW              COLUMN  BASE  OTHER      DIFFERENCE",
        "ID=01, TEST=ALT  AVAL    1.5   1.5000001  1.0000000005838672e-07",
        "",
        "Rows only in base",
        "ROW",
        "ID=02, TEST=ALT",
        "",
        "Rows only in other",
        "ROW",
        "ID=03, TEST=ALT",
        "ID=04, TEST=ALT",
    ] == outcome.lines


def test_a_comparison_is_one_document_in_json(
    datomfs: Datomfs, options: tuple[str, ...], version: Callable[[int], str]
) -> None:
    outcome = datomfs("diff", f"LABS/lb@{version(0)}", "--key", "ID", "--rows", "1", "--json", *options)
    told: dict[str, Any] = outcome.json
    assert 10 == outcome.code
    assert {
        "equal", "base", "other", "key", "tolerance", "columns", "rows", "values", "changed_rows", "dropped_rows",
        "added_rows",
    } == set(told)  # fmt: skip
    assert (False, ["ID"]) == (told["equal"], told["key"])
    assert f"LABS/lb@{version(2)}" == told["other"]["version"]
    assert {
        "common": 4, "dropped": [], "added": [{"name": "NEW", "nth": 1, "kind": "chr", "type": "string"}],
        "changed": [], "reordered": False,
    } == told["columns"]  # fmt: skip
    assert {
        "common": 1, "equal": 0, "changed": 1, "dropped": 1, "added": 2, "reordered": False, "base_repeats": 0,
        "other_repeats": 0,
    } == told["rows"]  # fmt: skip
    (row,) = told["changed_rows"]
    assert (1, 1, {"ID": "01"}, "AVAL", 1.5, 1.5000001) == (
        row["base_row"], row["other_row"], row["key"], row["changes"][0]["name"], row["changes"][0]["base"],
        row["changes"][0]["other"],
    )  # fmt: skip
    assert [{"base_row": None, "other_row": 2, "key": {"ID": "03"}}] == told["added_rows"]


def test_numbers_within_a_tolerance_are_equal(
    datomfs: Datomfs, options: tuple[str, ...], version: Callable[[int], str]
) -> None:
    pair = (f"LABS/lb@{version(0)}", f"@{version(1)}", "--key", "ID", "--json", *options)
    for tolerance in (("--tolerance", "1e-6"), ("--relative-tolerance", "1e-6")):
        assert 0 == datomfs("diff", *pair, *tolerance).json["rows"]["changed"]
    assert 1 == datomfs("diff", *pair, "--tolerance", "1e-8").json["rows"]["changed"]


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "x"])
def test_a_tolerance_is_a_number_from_0_on(datomfs: Datomfs, options: tuple[str, ...], value: str) -> None:
    assert 2 == datomfs("diff", "LABS/lb", "LABS/copy", f"--tolerance={value}", *options).code


def test_the_exit_code_is_0_where_nothing_differs(
    datomfs: Datomfs, options: tuple[str, ...], version: Callable[[int], str]
) -> None:
    outcome = datomfs("diff", "LABS/copy", f"LABS/lb@{version(0)}", *options)
    assert (0, "result                         nothing differs") == (outcome.code, outcome.lines[-1])


def test_tables_may_be_of_a_date_and_of_other_names(
    datomfs: Datomfs, options: tuple[str, ...], version: Callable[[int], str]
) -> None:
    assert 3 == datomfs("diff", "LABS/lb@2001-01-01", *options).code
    assert 2 == datomfs("diff", "LABS/lb@2999-01-01", *options).code
    told = datomfs("diff", "LABS/lb", "LABS/copy", "--json", *options).json
    assert ["LABS/lb", "LABS/copy"] == [told[side]["version"].partition("@")[0] for side in ("base", "other")]


@pytest.mark.parametrize(
    "targets", [("LABS/lb",), ("LABS@2026-01-01",), ("LABS/lb", "LABS"), ("LABS/lb", "@"), ("LABS/lb", "8a3b21cc")]
)
def test_what_names_no_two_versions_is_refused(
    datomfs: Datomfs, options: tuple[str, ...], targets: tuple[str, ...]
) -> None:
    assert 2 == datomfs("diff", *targets, *options).code


def test_a_key_that_cannot_be_one_is_refused(datomfs: Datomfs, options: tuple[str, ...]) -> None:
    outcome = datomfs("diff", "LABS/lb", "LABS/copy", "--key", "ID", "--key", "NEW", *options)
    assert 2 == outcome.code
    assert "column 'NEW' cannot be a key: the second table has no such column" in outcome.err


def test_a_name_with_a_comma_in_it_is_one(datomfs: Datomfs, in_folder: StoredProject) -> None:
    def body(value: int) -> bytes:
        out = io.BytesIO()
        pq.write_table(pa.table({"a,b": ["k"], "x": [value]}), out)
        return out.getvalue()

    one, two = in_folder.put("t", body(1), body(2))
    told = datomfs(
        "diff", label(in_folder, "t", one), f"@{two.version}", "--key", "a,b", "--json", *store_options(in_folder)
    ).json
    assert (["a,b"], {"a,b": "k"}) == (told["key"], told["changed_rows"][0]["key"])


def test_all_differences_go_into_a_file(
    datomfs: Datomfs, options: tuple[str, ...], version: Callable[[int], str], tmp_path: Path
) -> None:
    file = tmp_path / "changes.parquet"
    outcome = datomfs("diff", f"LABS/lb@{version(0)}", f"@{version(1)}", "--key=ID", "--rows=0", "-o", file, *options)
    assert 10 == outcome.code
    rows = pq.read_table(file).to_pylist()
    assert [("changed", "01", "AVAL"), ("dropped", "02", None), ("added", "03", None), ("added", "04", None)] == [
        (row["change"], row["key_ID"], row["column"]) for row in rows
    ]
    assert [file] == list(tmp_path.iterdir())


def test_a_comparison_that_fails_leaves_the_file_as_it_was(
    datomfs: Datomfs, options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "changes.parquet"
    file.write_text("as it was")
    monkeypatch.setattr("datomfs.compare.comparison.find_differing", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        datomfs("diff", "LABS/lb", "LABS/copy", "-o", file, *options)
    assert ([file], "as it was") == (list(tmp_path.iterdir()), file.read_text())
    assert 4 == datomfs("diff", "LABS/lb", "LABS/copy", "-o", tmp_path / "no" / "where", *options).code


def test_columns_are_hashed_once(
    datomfs: Datomfs, options: tuple[str, ...], version: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ("diff", f"LABS/lb@{version(1)}", f"@{version(2)}", *options)
    read: list[str] = []
    plain = StoredTable.read

    def watched(table: StoredTable, id_: Any) -> Any:
        read.append(id_.name)
        return plain(table, id_)

    monkeypatch.setattr(StoredTable, "read", watched)
    first = datomfs(*pair).out
    assert 8 == len(read)
    read.clear()
    assert (first, []) == (datomfs(*pair).out, read)


def test_bytes_that_are_not_the_recorded_ones_are_not_compared(
    datomfs: Datomfs, labs: Study, tmp_path: Path, version: Callable[[int], str]
) -> None:
    root = Path(shutil.copytree(labs.location.root, tmp_path / "copy"))
    entry = labs.catalog.read_history("lb").entries[-1]
    payload = root / "datom" / payload_key("lb", entry.data_sha)
    payload.chmod(0o644)
    pq.write_table(make_table(3), payload)
    outcome = datomfs("diff", f"LABS/lb@{entry.version}", "--store", root, "--project", "LABS")
    assert (5, "") == (outcome.code, outcome.out)


def test_a_snapshot_that_cannot_be_read_stops_no_comparison(
    datomfs: Datomfs, labs: Study, tmp_path: Path, version: Callable[[int], str]
) -> None:
    root = Path(shutil.copytree(labs.location.root, tmp_path / "copy"))
    snapshot = root / "datom" / snapshot_key("lb", version(0))
    snapshot.chmod(0o644)
    snapshot.write_text("{")
    assert 10 == datomfs("diff", f"LABS/lb@{version(0)}", "--store", root, "--project", "LABS").code


@needs_r_stores
def test_what_r_recorded_of_columns_spares_reading_them(datomfs: Datomfs, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ("--store", FOLDER / "solo-study" / "storage", "--project", "STUDY_001")
    entries = datomfs("history", "STUDY_001/lb", *source, "--json").json
    read: list[str] = []
    plain = StoredTable.read
    monkeypatch.setattr(StoredTable, "read", lambda table, id_: (read.append(id_.name), plain(table, id_))[1])
    target = f"STUDY_001/lb@{entries[1]['version']}"
    assert (0, []) == (datomfs("diff", target, f"@{entries[1]['version']}", *source).code, read)


@pytest.mark.s3
def test_of_a_bucket_only_columns_that_differ_are_fetched(
    datomfs: Datomfs, in_bucket: StoredProject, tmp_path: Path
) -> None:
    def body(step: float) -> bytes:
        noise = np.random.default_rng(1)
        columns = {f"c{nth}": noise.random(300_000) for nth in range(4)}
        out = io.BytesIO()
        pq.write_table(pa.table({**columns, "x": noise.random(300_000) + step}), out)
        return out.getvalue()

    attesting = StoredProject(AttestingStore(in_bucket.store, tmp_path))  # type: ignore[arg-type]
    versions = attesting.put("dm", body(0.0), body(1.0))
    targets = (label(in_bucket, "dm", versions[0]), f"@{versions[1].version}")
    first = datomfs("diff", *targets, "--json", *store_options(in_bucket))
    told = first.json
    assert (300_000, ["x"]) == (told["rows"]["changed"], [each["name"] for each in told["values"]])
    assert 0 == datomfs("cache", "clear", "--yes").code
    assert first == datomfs("diff", *targets, "--json", *store_options(in_bucket))
    fetched = datomfs("cache", "status", "--json").json["used_bytes"]
    assert 0.2 < fetched / sum(len(version.body) for version in versions) < 0.3
