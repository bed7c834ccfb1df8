"""`.datom` in the tree: documents as files that change, and all versions as links with dates."""

from __future__ import annotations

import stat

import pytest

from datomfs.errors import DocumentInvalid, NotFound, VersionAmbiguous
from datomfs.model.sets import SetContent
from datomfs.vfs.tree import PIN_TTL_S
from tests.vfs.fake_source import FakeSet, FakeSource, FakeTable, version
from tests.vfs.trees import MOUNTED_NS, ODD, REFRESH_S, V1, V2, V3, dm_of, look, make_source, make_tree, run, walk

DOT = ("STUDY_001", ".datom")
HISTORY = ("STUDY_001", "dm", "history.csv")
STAMPS = ("1970-01-01T000003Z", "1970-01-01T000002Z", "1970-01-01T000001Z")


def with_documents() -> FakeSource:
    """The source with some documents and a set."""
    source = make_source()
    source.documents.content |= {
        ("STUDY_001", None, "ref.json"): b"{ref}",
        ("STUDY_001", None, "manifest.json"): b"{manifest}",
        HISTORY: b"version\r\n",
        ("STUDY_001", "dm", "other.json"): b"not one of ours",
    }
    source.sets.content_of["STUDY_001", "safety"] = FakeSet(V1, {V1: SetContent({}, ())})
    return source


def listed(source: FakeSource, *names: str) -> list[str]:
    """The names that a directory lists in a fresh tree."""

    async def work() -> list[str]:
        tree = make_tree(source)
        return [name for name, _, _ in await tree.readdir((await walk(tree, *names)).inode)]

    return run(work)


def test_the_documents_resolve_and_are_not_listed_by_their_project() -> None:
    assert [ODD, f"{ODD}.parquet", "dm", "dm.parquet", "safety"] == listed(with_documents(), "STUDY_001")
    assert stat.S_ISDIR(look(with_documents(), *DOT).mode)


def test_what_exists_is_listed_and_nothing_is_read_for_it() -> None:
    source = with_documents()
    assert ["ref.json", "manifest.json", ODD, "dm", "safety"] == listed(source, *DOT)
    tables = ["metadata.json", "version_history.json", "history.csv", "lineage.json", "versions"]
    assert tables == listed(source, *DOT, "dm")
    sets = ["metadata.json", "version_history.json", "history.csv", "set.json", "versions"]
    assert sets == listed(source, *DOT, "safety")
    assert [] == source.documents.asked


@pytest.mark.parametrize(
    "names",
    [
        ("governance.json",), ("dispatch.json",), ("project.yaml",), ("ex",), ("dm.parquet",), ("history.csv",),
        ("..",), ("",),
        ("dm", "other.json"),
        ("dm", "ref.json"), ("dm", "set.json"), ("dm", "metadata.json"), ("dm", "dm"), ("safety", "lineage.json"),
        ("dm", "versions", "x"), ("dm", "versions", "@111111aa.parquet"), ("versions",), (".datom",),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(names: tuple[str, ...]) -> None:
    with pytest.raises(NotFound):
        look(with_documents(), *DOT, *names)


def test_a_document_is_a_file_of_its_size_that_the_kernel_asks_for_each_time() -> None:
    attrs = look(with_documents(), *DOT, "dm", "history.csv")
    assert (stat.S_IFREG | 0o444, len(b"version\r\n"), 7 * 10**9, 0.0) == (
        attrs.mode, attrs.size, attrs.time_ns, attrs.ttl_s,
    )  # fmt: skip
    assert (len(b"{ref}"), 9 * 10**9) == (
        look(with_documents(), *DOT, "ref.json").size,
        look(with_documents(), *DOT, "ref.json").time_ns,
    )


def test_directories_of_documents_are_as_old_as_what_they_tell_of() -> None:
    for names, time_ns in (((), 9), (("dm",), 7), (("dm", "versions"), 7), (("safety",), 8)):
        attrs = look(with_documents(), *DOT, *names)
        assert (time_ns * 10**9, REFRESH_S) == (attrs.time_ns, attrs.ttl_s)


def test_an_open_document_stays_as_it_was_and_the_next_look_sees_what_became_of_it() -> None:
    source = with_documents()

    async def work() -> None:
        tree = make_tree(source)
        inode = (await walk(tree, *DOT, "dm", "history.csv")).inode
        assert tree.is_document(inode)
        handle = await tree.open(inode)
        source.documents.content[HISTORY] = b"version\r\nand more\r\n"
        assert b"version\r\n" == await tree.read(handle, 0, 100)
        assert b"on\r\n" == await tree.read(handle, 5, 100)
        tree.close(handle)
        assert 19 == (await walk(tree, *DOT, "dm", "history.csv")).size
        assert 19 == tree.getattr(inode).size

    run(work)
    assert {} == source.documents.opened


def test_a_document_that_cannot_be_made_gives_its_error_and_spares_the_others() -> None:
    source = with_documents()
    source.documents.content[HISTORY] = DocumentInvalid("history", "it is not JSON")
    with pytest.raises(DocumentInvalid):
        look(source, *DOT, "dm", "history.csv")
    assert "history.csv" in listed(source, *DOT, "dm")


def test_payloads_and_directories_are_no_documents() -> None:
    async def work() -> None:
        tree = make_tree(with_documents())
        for names in ((), ("STUDY_001",), ("STUDY_001", "dm", f"@{V1}.parquet"), DOT):
            assert not tree.is_document((await walk(tree, *names)).inode)

    run(work)


# -- versions ------------------------------------------------------------------------------------------------------


def test_all_versions_are_listed_by_date_newest_first() -> None:
    names = [
        f"{stamp}_{short}.parquet" for stamp, short in zip(STAMPS, ("333333cc", "222222bb", "111111aa"), strict=True)
    ]
    assert names == listed(with_documents(), *DOT, "dm", "versions")
    assert ["1970-01-01T000001Z_111111aa"] == listed(with_documents(), *DOT, "safety", "versions")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("dm", "versions", f"{STAMPS[2]}_111111aa.parquet"), "../../../dm/@111111aa.parquet"),
        (("dm", "versions", f"{STAMPS[2]}_{V1}.parquet"), "../../../dm/@111111aa.parquet"),
        (("dm", "versions", f"{STAMPS[2]}_111111.parquet"), "../../../dm/@111111aa.parquet"),
        (("safety", "versions", f"{STAMPS[2]}_111111aa"), "../../../safety/@111111aa"),
    ],
)
def test_a_dated_name_is_a_link_to_the_pin(names: tuple[str, ...], text: str) -> None:
    async def work() -> None:
        tree = make_tree(with_documents())
        link = await walk(tree, *DOT, *names)
        assert text == await tree.readlink(link.inode)
        assert (stat.S_IFLNK | 0o777, len(text), 10**9) == (link.mode, link.size, link.time_ns)
        assert PIN_TTL_S == (await walk(tree, "STUDY_001", *text.split("/")[3:])).ttl_s

    run(work)


@pytest.mark.parametrize(
    "name",
    [
        f"{STAMPS[1]}_111111aa.parquet", f"{STAMPS[2]}_111111aa", f"{STAMPS[2]}_11111.parquet",
        f"{STAMPS[2]}_999999.parquet", f"undated_{V1}.parquet", f"1970-01-01_{V1}.parquet", "_111111aa.parquet",
    ],
)  # fmt: skip
def test_a_version_under_another_date_is_not_there(name: str) -> None:
    with pytest.raises(NotFound):
        look(with_documents(), *DOT, "dm", "versions", name)


def test_a_set_has_no_suffix_among_its_versions() -> None:
    with pytest.raises(NotFound):
        look(with_documents(), *DOT, "safety", "versions", f"{STAMPS[2]}_111111aa.parquet")


def test_what_no_name_resolves_to_is_not_listed() -> None:
    source = with_documents()
    source.content["STUDY_001"] = {"dm": FakeTable(V2, {V2: b"", V1: b""}, ambiguous=frozenset({V1}))}
    assert ["1970-01-01T000002Z_222222bb.parquet"] == listed(source, *DOT, "dm", "versions")
    with pytest.raises(VersionAmbiguous):
        look(source, *DOT, "dm", "versions", f"{STAMPS[2]}_111111aa.parquet")


def test_a_version_written_a_moment_ago_is_found() -> None:
    source = with_documents()

    async def work() -> None:
        tree = make_tree(source)
        directory = (await walk(tree, *DOT, "dm", "versions")).inode
        await tree.readdir(directory)
        dm = dm_of(source)
        dm.payloads = {version("444444dd"): b"four!", **dm.payloads}
        await tree.lookup(directory, "1970-01-01T000004Z_444444dd.parquet")

    run(work)


def test_a_table_that_went_away_has_no_documents_any_more() -> None:
    source = with_documents()

    async def work() -> None:
        tree = make_tree(source)
        documents = (await walk(tree, *DOT, "dm")).inode
        versions = (await walk(tree, *DOT, "dm", "versions")).inode
        document = (await walk(tree, *DOT, "dm", "history.csv")).inode
        source.content["STUDY_001"] = {}
        with pytest.raises(NotFound):
            await tree.readdir(documents)
        with pytest.raises(NotFound):
            await tree.readdir(versions)
        assert MOUNTED_NS == tree.getattr(document).time_ns

    run(work)


def test_versions_without_a_time_are_undated() -> None:
    class Undated(FakeTable):
        def view(self, project: str, name: str):  # type: ignore[no-untyped-def]
            view = super().view(project, name)
            return type(view)(project, name, [type(each)(each.version, 0, each.size) for each in view.versions])

    source = with_documents()
    source.content["STUDY_001"] = {"dm": Undated(V3, {V3: b"three"})}
    assert ["undated_333333cc.parquet"] == listed(source, *DOT, "dm", "versions")
    assert stat.S_ISLNK(look(source, *DOT, "dm", "versions", "undated_333333cc.parquet").mode)
