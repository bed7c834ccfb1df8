"""What the kernel believes of moving names, taken back when they move.

The kernel may believe an entry and its attributes for a while (`vfs.tree`). Where a link points it always asks anew,
and of what is not there it remembers nothing: so of what is new there is nothing to take back, only what has gone, and
the attributes of what moved. Pins never change.

pyfuse3's rules: to take back an entry waits for requests that look into its directory, which may be waiting for us, so
that happens in pyfuse3's own thread; attributes are taken back without waiting for anybody.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

import pyfuse3

from datomfs.layout import table_link_name
from datomfs.vfs.nodes import ROOT_INODE, ProjectDir, inode_of
from datomfs.vfs.source import ProjectView
from datomfs.vfs.tree import Tree


class KernelEntries:
    """Implements `mount.live_source.Watcher` for one mount. All methods run in the trio thread."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def projects_changed(self, before: Collection[str], after: Collection[str]) -> None:
        """Other projects are registered."""
        self._drop(ROOT_INODE, set(before) - set(after))

    def project_changed(self, project: str, before: ProjectView, after: ProjectView) -> None:
        """A project has other tables or sets, or other versions of them are current."""
        tables, sets = before.tables.keys() - after.tables.keys(), before.sets.keys() - after.sets.keys()
        self._drop(inode_of(ProjectDir(project)), {*tables, *map(table_link_name, tables), *sets})
        self._refresh(project)

    def table_changed(self, project: str) -> None:
        """A table has other versions: how many digits tell one, and so how long a link is, may be another."""
        self._refresh(project)

    def _drop(self, parent: int, names: Collection[str]) -> None:
        for name in names:
            pyfuse3.invalidate_entry_async(
                pyfuse3.InodeT(parent), pyfuse3.FileNameT(os.fsencode(name)), ignore_enoent=True
            )

    def _refresh(self, project: str) -> None:
        for inode in self._tree.moving_inodes(project):
            with suppress(FileNotFoundError):  # the kernel is about to forget it
                pyfuse3.invalidate_inode(pyfuse3.InodeT(inode), attr_only=True)
