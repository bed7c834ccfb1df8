"""What a project was at a moment: which version each of its tables had (design.md §2).

On the git road that is what the manifest said in the newest commit of the default branch at or before the moment, to
the letter, reverts included. A store keeps no past manifest, only histories that grow: there it is the newest entry of
each history at or before the moment, which takes a table that was reverted for one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datomfs.catalog.catalog import Catalog, TableVersion, TableVersions
from datomfs.errors import ObjectMissing
from datomfs.layout import MANIFEST_KEY
from datomfs.model.manifest import Manifest, ManifestRow, parse_manifest


@dataclass(frozen=True, slots=True)
class Moment:
    """The tables of a project at a moment; `time_ns` is nanoseconds since 1970, None being now.

    Where it `is_exact`, the rows are those of that moment. Else they are today's, and what each table's version was
    then, and whether it had one, only its history can tell.
    """

    tables: Mapping[str, ManifestRow]
    time_ns: int | None
    is_exact: bool

    def find(self, versions: TableVersions) -> TableVersion | None:
        """The version a table had, given all it has; None where it had none yet. Raises VersionNotFound."""
        if self.time_ns is not None and not self.is_exact:
            return versions.as_of(self.time_ns)
        row = self.tables.get(versions.name)
        return versions.resolve(row.current_version) if row is not None else None


def read_moment(catalog: Catalog, time_ns: int | None) -> Moment:
    """A moment that is over, or the present. Raises what reading a manifest raises."""
    past = read_past(catalog, time_ns) if time_ns is not None else None
    if past is not None:
        return Moment(past, time_ns, is_exact=True)
    return Moment(_tables(catalog.read_manifest()), time_ns, is_exact=time_ns is None)


def read_past(catalog: Catalog, time_ns: int) -> Mapping[str, ManifestRow] | None:
    """The tables a project had at a moment, or None on a road where only their histories can tell.

    Before a project's first commit it had none. Raises what reading a manifest raises.
    """
    past = catalog.documents.at(time_ns)
    if past is None:
        return None
    try:
        return _tables(parse_manifest(past.get(MANIFEST_KEY), past.where(MANIFEST_KEY)))
    except ObjectMissing:
        return {}


def _tables(manifest: Manifest) -> Mapping[str, ManifestRow]:
    return {name: row for name, row in manifest.rows.items() if row.kind == "table"}
