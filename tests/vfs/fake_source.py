"""A source of trees in memory: projects, tables, versions and bytes as a test sets them. Counts what it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from datomfs.errors import DatomfsError, ProjectNotFound, TableNotFound
from datomfs.model.sets import SetContent
from datomfs.vfs.fact_source import Facts
from datomfs.vfs.nodes import DocumentFile
from datomfs.vfs.source import Current, Handle, MomentView, ProjectView, Standing, TableView, VersionView


def version(lead: str) -> str:
    """A version of 64 digits that starts with `lead`."""
    return lead.ljust(64, "0")


@dataclass
class FakeTable:
    """The versions of a table, newest first, with their bytes; None where the store lost them."""

    current: str
    payloads: dict[str, bytes | None]
    ambiguous: frozenset[str] = frozenset()

    def view(self, project: str, name: str) -> TableView:
        """The table as a source tells it; the first version of a table is of second 1, the next of second 2."""
        count = len(self.payloads)
        versions = tuple(
            VersionView(sha, (count - index) * 10**9, None if body is None else len(body))
            for index, (sha, body) in enumerate(self.payloads.items())
        )
        return TableView(project, name, versions, self.ambiguous)


@dataclass
class FakeSet:
    """The versions of a set, newest first, with what they hold; None where the store lost it."""

    current: str
    contents: dict[str, SetContent | None]


@dataclass
class FakeSets:
    """Implements `vfs.set_source.SetSource` over sets by project and name, shown as tables are."""

    content_of: dict[tuple[str, str], FakeSet] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _views: dict[tuple[str, str], TableView] = field(default_factory=dict)
    _contents: dict[tuple[str, str, str], SetContent] = field(default_factory=dict)

    async def view(self, project: str, name: str, *, fresh: bool = False) -> TableView:
        key = (project, name)
        if key not in self._views or fresh:
            self.asked.append(f"{project}/{name}")
            shown = self.content_of[key]
            bodies = {sha: None if content is None else b"members" for sha, content in shown.contents.items()}
            self._views[key] = FakeTable(shown.current, bodies).view(project, name)
        return self._views[key]

    def known_view(self, project: str, name: str) -> TableView | None:
        return self._views.get((project, name))

    async def content(self, project: str, name: str, version: str) -> SetContent:
        self.asked.append(f"{project}/{name}@{version[:8]}")
        found = self.content_of[project, name].contents[version]
        assert found is not None, "a version that was lost resolved"
        self._contents[project, name, version] = found
        return found

    def known_content(self, project: str, name: str, version: str) -> SetContent | None:
        return self._contents.get((project, name, version))


@dataclass
class FakeFacts:
    """Implements `vfs.fact_source.FactSource`: of versions that a test gave facts, and of all projects."""

    of_version: dict[tuple[str, str, str], tuple[dict[str, str], dict[str, str]]] = field(default_factory=dict)
    """What is known of a version at once, and what only after it was read."""
    of_project: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _read: set[tuple[str, str, str]] = field(default_factory=set)

    def known(self, project: str, name: str, version: str) -> Facts | None:
        key = (project, name, version)
        if key not in self.of_version:
            return None
        known, unread = self.of_version[key]
        return Facts({**known, **unread}) if key in self._read else Facts(known, ("nrow", "ncol"))

    async def read(self, project: str, name: str, version: str) -> Mapping[str, str]:
        self.asked.append(f"{project}/{name}@{version[:8]}")
        self._read.add((project, name, version))
        known, unread = self.of_version[project, name, version]
        return {**known, **unread}

    async def project(self, project: str) -> Mapping[str, str]:
        self.asked.append(project)
        return self.of_project[project]


@dataclass
class FakeDocuments:
    """Implements `vfs.document_source.DocumentSource` over documents by (project, artifact or None, name).

    A document whose value is an error raises it. Handles are shared with those of payloads.
    """

    content: dict[tuple[str, str | None, str], bytes | DatomfsError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    opened: dict[Handle, bytes] = field(default_factory=dict)
    _known: dict[DocumentFile, bytes] = field(default_factory=dict)

    async def names(self, project: str) -> Sequence[str]:
        return [name for owner, artifact, name in self.content if owner == project and artifact is None]

    async def find(self, document: DocumentFile) -> bytes | None:
        self.asked.append(document.name)
        found = self.content.get((document.project, document.artifact, document.name))
        if isinstance(found, DatomfsError):
            raise found
        if found is not None:
            self._known[document] = found
        return found

    def known_size(self, document: DocumentFile) -> int:
        return len(self._known.get(document, b""))

    async def open(self, document: DocumentFile) -> Handle:
        found = await self.find(document)
        assert found is not None, "a document that does not exist was opened"
        handle = Handle(1000 + len(self.opened))
        self.opened[handle] = found
        return handle


@dataclass
class FakeSource:
    """Implements `vfs.source.Source`. A project whose value is an error raises it.

    Tables show only what they held when they were last read; a test changes `content`, and `fresh` shows it.
    """

    content: dict[str, dict[str, FakeTable] | DatomfsError]
    standings: dict[tuple[str, str, str], Standing] = field(default_factory=dict)
    sizes: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Of payloads that turn out to have another size than is listed."""
    believed: dict[str | None, float] = field(default_factory=dict)
    """For how many seconds what is known still holds; for ever where nothing is said."""
    moments: dict[tuple[str, int], MomentView] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    opened: dict[Handle, tuple[str, str, str]] = field(default_factory=dict)
    sets: FakeSets = field(default_factory=FakeSets)
    facts: FakeFacts = field(default_factory=FakeFacts)
    documents: FakeDocuments = field(default_factory=FakeDocuments)
    _projects: dict[str, ProjectView] = field(default_factory=dict)
    _tables: dict[tuple[str, str], TableView] = field(default_factory=dict)

    async def projects(self) -> Sequence[str]:
        return sorted(self.content)

    def known_project(self, project: str) -> ProjectView | None:
        return self._projects.get(project)

    def known_table(self, project: str, table: str) -> TableView | None:
        return self._tables.get((project, table))

    def believed_s(self, project: str | None) -> float:
        return self.believed.get(project, 1e9)

    def standing(self, project: str, table: str, version: str) -> Standing:
        return self.standings.get((project, table, version), Standing("pending", 0))

    def has_failed(self, project: str, table: str, version: str) -> bool:
        return self.standing(project, table, version).verified == "failed"

    async def project(self, project: str) -> ProjectView:
        self.asked.append(project)
        tables = self._table_map(project)
        view = ProjectView(
            {name: Current(table.current, 7 * 10**9) for name, table in tables.items()},
            9 * 10**9,
            {
                name: Current(shown.current, 8 * 10**9)
                for (owner, name), shown in self.sets.content_of.items()
                if owner == project
            },
        )
        self._projects[project] = view
        return view

    async def moment(self, project: str, time_ns: int) -> MomentView:
        self.asked.append(f"{project} at {time_ns}")
        self._table_map(project)
        return self.moments.get((project, time_ns), MomentView({}))

    async def table(self, project: str, table: str, *, fresh: bool = False) -> TableView:
        key = (project, table)
        if key not in self._tables or fresh:
            self.asked.append(f"{project}/{table}")
            self._tables[key] = self._table(project, table).view(project, table)
        return self._tables[key]

    async def open(self, project: str, table: str, version: str) -> Handle:
        handle = Handle(len(self.opened) + 1)
        self.opened[handle] = (project, table, version)
        return handle

    def size(self, handle: Handle) -> int:
        return self.sizes.get(self.opened[handle], len(self._body(handle)))

    async def read(self, handle: Handle, offset: int, length: int) -> bytes:
        return self._body(handle)[offset : offset + length]

    def close(self, handle: Handle) -> None:
        if self.documents.opened.pop(handle, None) is None:
            del self.opened[handle]

    def _body(self, handle: Handle) -> bytes:
        if handle in self.documents.opened:
            return self.documents.opened[handle]
        project, table, sha = self.opened[handle]
        return self._table(project, table).payloads[sha] or b""

    def _table_map(self, project: str) -> dict[str, FakeTable]:
        tables = self.content.get(project, ProjectNotFound(project, "a test asked"))
        if isinstance(tables, DatomfsError):
            raise tables
        return tables

    def _table(self, project: str, table: str) -> FakeTable:
        tables = self._table_map(project)
        if table not in tables:
            raise TableNotFound(project, table)
        return tables[table]
