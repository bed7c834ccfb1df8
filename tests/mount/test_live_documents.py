"""Documents as files in a running mount: as they are stored, behind the clock, and made from what is stored."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from datomfs.catalog.governance import GovStore
from datomfs.catalog.portfolio import Governed, Portfolio
from datomfs.errors import (
    DatomfsError,
    DocumentInvalid,
    NotFound,
    RecordedMissing,
    StoreUnreachable,
    TableNotFound,
)
from datomfs.layout import (
    GOVERNANCE_KEY,
    MANIFEST_KEY,
    gov_key,
    history_key,
    metadata_key,
    set_payload_key,
)
from datomfs.model.location import Location
from datomfs.mount.live_source import LiveSource
from datomfs.store.memory import MemoryStore
from datomfs.vfs.nodes import DocumentFile
from tests.cache.stores import make_reader
from tests.mount.bench import REFRESH_S, STALL_S, LiveStore
from tests.product import (
    DM_DATA_SHA,
    DM_VERSION,
    PRODUCT,
    RAW,
    SET,
    SET_DATA_SHA,
    SET_PAYLOAD,
    put_product,
    put_raw,
)

REF = b'{"current": {"type": "s3", "root": "raw"}}'


class Archive:
    """Both projects of the example, demo-raw governed and demo-product solo, and a mount's source over them."""

    def __init__(
        self, source: LiveSource, raw: LiveStore, product: LiveStore, gov: LiveStore, clock: MockClock
    ) -> None:
        self.source = source
        self.raw = raw
        self.product = product
        self.gov = gov
        self.clock = clock

    async def find(self, project: str, artifact: str | None, name: str) -> bytes | None:
        return await self.source.documents.find(DocumentFile(project, artifact, name))

    async def fails(self, project: str, artifact: str | None, name: str) -> DatomfsError:
        """The error that a document gives."""
        with pytest.raises(DatomfsError) as caught:
            await self.find(project, artifact, name)
        return caught.value


Test = Callable[[Archive], Awaitable[None]]
Run = Callable[[Test], None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(test: Test) -> None:
        raw, product, gov, clock = LiveStore(), LiveStore(), LiveStore(), MockClock()
        put_raw(raw)
        put_product(product)
        gov.put(gov_key(RAW, "ref.json"), REF)
        stores = {RAW: raw, PRODUCT: product}
        portfolio = Portfolio(
            {PRODUCT: Location("s3", "product")},
            lambda name, location: stores.get(name, MemoryStore("empty")),
            governed=Governed(GovStore(gov)),
        )
        reader = make_reader(tmp_path / "cache")

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                source = LiveSource(portfolio, reader, nursery, refresh_s=REFRESH_S, stall_s=STALL_S)
                try:
                    await test(Archive(source, raw, product, gov, clock))
                finally:
                    source.close_all()
                    reader.close()
                    nursery.cancel_scope.cancel()

        trio.run(main, clock=clock)

    return run


# -- as they are stored --------------------------------------------------------------------------------------------


def test_documents_are_given_byte_for_byte(run: Run) -> None:
    async def test(archive: Archive) -> None:
        archive.raw.put(GOVERNANCE_KEY, b'{"gov_repo_url":"x"}   \n')
        keys = {
            (None, "manifest.json"): MANIFEST_KEY,
            (None, "governance.json"): GOVERNANCE_KEY,
            ("dm", "metadata.json"): metadata_key("dm"),
            ("dm", "version_history.json"): history_key("dm"),
        }
        for (artifact, name), key in keys.items():
            assert MemoryStore.get(archive.raw, key) == await archive.find(RAW, artifact, name)
        assert REF == await archive.find(RAW, None, "ref.json")
        assert SET_PAYLOAD == await archive.find(PRODUCT, SET, "set.json")
        assert MemoryStore.get(archive.product, metadata_key(SET)) == await archive.find(PRODUCT, SET, "metadata.json")

    run(test)


def test_a_document_that_does_not_parse_is_given_all_the_same(run: Run) -> None:
    async def test(archive: Archive) -> None:
        archive.raw.put(history_key("dm"), b"\xff not JSON")
        assert b"\xff not JSON" == await archive.find(RAW, "dm", "version_history.json")
        assert isinstance(await archive.fails(RAW, "dm", "history.csv"), DocumentInvalid)

    run(test)


def test_those_that_exist_have_names(run: Run) -> None:
    async def test(archive: Archive) -> None:
        assert ["ref.json", "manifest.json"] == await archive.source.documents.names(RAW)
        assert ["manifest.json"] == await archive.source.documents.names(PRODUCT)
        assert await archive.find(RAW, None, "dispatch.json") is None
        archive.gov.put(gov_key(RAW, "dispatch.json"), b"{}")
        archive.raw.put(GOVERNANCE_KEY, b"{}")
        archive.clock.jump(REFRESH_S)
        expected = ["ref.json", "manifest.json", "governance.json", "dispatch.json"]
        assert expected == await archive.source.documents.names(RAW)

    run(test)


def test_one_that_cannot_be_read_has_a_name_and_tells_why(run: Run) -> None:
    async def test(archive: Archive) -> None:
        await archive.source.project(RAW)
        archive.gov.fault = StoreUnreachable("memory:gov", "key", "cable cut")
        expected = ["ref.json", "manifest.json", "migration_history.json", "dispatch.json"]
        assert expected == await archive.source.documents.names(RAW)
        assert archive.gov.fault is await archive.fails(RAW, None, "ref.json")

    run(test)


def test_what_the_manifest_promises_and_the_store_lacks_is_an_integrity_error(run: Run) -> None:
    async def test(archive: Archive) -> None:
        archive.raw.delete(metadata_key("dm"))
        archive.raw.delete(history_key("dm"))
        for name in ("metadata.json", "version_history.json", "history.csv"):
            assert isinstance(await archive.fails(RAW, "dm", name), RecordedMissing)
        archive.product.delete(set_payload_key(SET, SET_DATA_SHA))
        assert isinstance(await archive.fails(PRODUCT, SET, "set.json"), RecordedMissing)

    run(test)


def test_what_no_manifest_names_has_no_documents(run: Run) -> None:
    async def test(archive: Archive) -> None:
        assert isinstance(await archive.fails(RAW, "ex", "metadata.json"), TableNotFound)

    run(test)


# -- made from what is stored --------------------------------------------------------------------------------------


def test_a_history_is_given_as_csv(run: Run) -> None:
    async def test(archive: Archive) -> None:
        content = await archive.find(RAW, "dm", "history.csv")
        assert content is not None
        header, line, rest = content.decode().split("\r\n")
        assert header.startswith("version,data_sha,timestamp,author,commit_message,")
        assert line.startswith(f"{DM_VERSION},{DM_DATA_SHA},2026-11-20T10:00:00Z,A <a@x>,Sync dm (new),")
        assert "" == rest

    run(test)


def test_a_lineage_is_that_of_the_current_version(run: Run) -> None:
    async def test(archive: Archive) -> None:
        content = await archive.find(RAW, "dm", "lineage.json")
        assert content is not None
        document = json.loads(content)
        assert (RAW, "dm", DM_VERSION) == (document["project"], document["table"], document["version"])
        assert "note" not in document
        (record,) = document["versions"]
        assert [{"project": RAW, "table": "dm", "version_sha": DM_DATA_SHA}] == record["source_lineage"]

    run(test)


def test_a_lineage_of_a_store_without_snapshots_begins_with_the_current_metadata(run: Run) -> None:
    async def test(archive: Archive) -> None:
        for info in list(archive.raw.list(f"dm/.metadata/{DM_VERSION}")):
            archive.raw.delete(info.key)
        state = json.loads(archive.raw.get(metadata_key("dm")))
        archive.raw.put(metadata_key("dm"), json.dumps({**state, "nrow": 4}).encode())
        content = await archive.find(RAW, "dm", "lineage.json")
        assert content is not None
        document = json.loads(content)
        assert (DM_VERSION, DM_DATA_SHA) == (document["version"], document["versions"][0]["data_sha"])
        assert "nobody kept the metadata of this version: this is what the current metadata tells" == document["note"]

    run(test)


# -- the clock, and open files -------------------------------------------------------------------------------------


def test_documents_are_read_again_by_the_clock(run: Run) -> None:
    async def test(archive: Archive) -> None:
        document = DocumentFile(RAW, "dm", "metadata.json")
        assert 0 == archive.source.documents.known_size(document)
        before = await archive.source.documents.find(document)
        archive.raw.put(metadata_key("dm"), b"{}")
        archive.clock.jump(REFRESH_S - 1)
        assert before == await archive.source.documents.find(document)
        archive.clock.jump(1)
        assert b"{}" == await archive.source.documents.find(document)
        assert 2 == archive.source.documents.known_size(document)
        assert 2 == archive.raw.reads[metadata_key("dm")]

    run(test)


def test_what_moves_is_read_again_when_the_source_is_told_to(run: Run) -> None:
    async def test(archive: Archive) -> None:
        for count in (1, 2):
            await archive.find(RAW, "dm", "metadata.json")
            await archive.source.sets.view(PRODUCT, SET)
            assert (count, count) == (
                archive.raw.reads[metadata_key("dm")],
                archive.product.reads[history_key(SET)],
            )
            archive.source.expire()

    run(test)


def test_an_open_document_is_one_state_of_it(run: Run) -> None:
    async def test(archive: Archive) -> None:
        document = DocumentFile(RAW, "dm", "metadata.json")
        handle = await archive.source.documents.open(document)
        before = MemoryStore.get(archive.raw, metadata_key("dm"))
        archive.raw.put(metadata_key("dm"), b"{}")
        archive.clock.jump(REFRESH_S)
        again = await archive.source.documents.open(document)
        assert before == await archive.source.read(handle, 0, 1 << 20)
        assert before[10:20] == await archive.source.read(handle, 10, 10)
        assert b"" == await archive.source.read(handle, len(before), 10)
        assert (len(before), 2) == (archive.source.size(handle), archive.source.size(again))
        archive.source.close(handle)
        assert b"{}" == await archive.source.read(again, 0, 10)

    run(test)


def test_a_document_that_went_away_is_not_opened(run: Run) -> None:
    async def test(archive: Archive) -> None:
        with pytest.raises(NotFound):
            await archive.source.documents.open(DocumentFile(RAW, None, "dispatch.json"))

    run(test)


@pytest.mark.expected_warnings
def test_while_a_store_is_away_documents_are_served_as_they_were(run: Run) -> None:
    async def test(archive: Archive) -> None:
        before = await archive.find(RAW, "dm", "metadata.json")
        archive.raw.fault = StoreUnreachable("memory:live", "key", "cable cut")
        archive.clock.jump(REFRESH_S)
        assert before == await archive.find(RAW, "dm", "metadata.json")

    run(test)
