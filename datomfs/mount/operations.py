"""What the kernel asks, handler by handler: decode, call the tree, translate (pyfuse3.Operations).

No handler decides anything. Each may raise only FUSEError; `_answered` sees to that, and writes the one log line that a
failed call gets. The mount is read-only for the kernel too, so nothing that writes ever arrives here: the kernel
answers EROFS itself.
"""

from __future__ import annotations

import errno
import functools
import itertools
import logging
import os
import stat
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import pyfuse3

from datomfs.errors import DatomfsError
from datomfs.mount.control import Control
from datomfs.mount.errno import errno_of
from datomfs.mount.tally import Tally
from datomfs.mount.told_names import ToldNames
from datomfs.vfs.nodes import Attrs, Node
from datomfs.vfs.source import Handle
from datomfs.vfs.tree import Tree

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_BLOCK_SIZE = 128 << 10  # what the kernel reads at once; tools size their buffers by it
_STAT_BLOCK = 512
_NAME_LIMIT = 255
_QUIET = frozenset({errno.ENOENT, errno.ENODATA, errno.EOPNOTSUPP})  # every program probes for what is not there


def _answered(
    handler: Callable[Concatenate[DatomOperations, P], Awaitable[R]],
) -> Callable[Concatenate[DatomOperations, P], Coroutine[Any, Any, R]]:
    """The handler with every error as FUSEError, logged once: operation, arguments, errno, cause."""

    name = handler.__name__

    @functools.wraps(handler)
    async def answer(self: DatomOperations, /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.tally.requests[name] += 1
        try:
            return await handler(self, *args, **kwargs)
        except DatomfsError as error:
            number = errno_of(error)
            self.tally.errors[errno.errorcode[number]] += 1
            level = logging.DEBUG if number in _QUIET else logging.ERROR
            log.log(level, "%s%s: %s: %s", name, args[:2], errno.errorcode[number], error.what)
            raise pyfuse3.FUSEError(number) from error
        except OSError as error:
            number = errno_of(error)
            self.tally.errors[errno.errorcode[number]] += 1
            log.error("%s%s: %s: %s", name, args[:2], errno.errorcode[number], error)  # noqa: TRY400
            raise pyfuse3.FUSEError(number) from error
        except Exception as error:
            number = errno_of(error)
            self.tally.errors[errno.errorcode[number]] += 1
            log.exception("%s%s failed", name, args[:2])
            raise pyfuse3.FUSEError(number) from error

    return answer


class DatomOperations(pyfuse3.Operations):
    """The handlers of one mount; files belong to `uid` and `gid`. `tally` counts what they are asked."""

    # It would ask of an NFS server's handle what inode it is, and forgotten inodes are not known here.
    supports_dot_lookup = False

    def __init__(self, tree: Tree, control: Control, uid: int, gid: int) -> None:
        super().__init__()
        self.tally = Tally()
        self._tree = tree
        self._control = control
        self._uid = uid
        self._gid = gid
        self._listings: dict[int, tuple[pyfuse3.InodeT, Sequence[tuple[str, Node, Attrs]]]] = {}
        self._told = ToldNames()
        self._numbers = itertools.count(1)

    @_answered
    async def lookup(
        self, parent_inode: pyfuse3.InodeT, name: pyfuse3.FileNameT, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        attrs = await self._tree.lookup(parent_inode, os.fsdecode(name))
        self._tell(parent_inode, name, attrs)
        return self._entry(attrs)

    @_answered
    async def getattr(self, inode: pyfuse3.InodeT, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        return self._entry(self._tree.getattr(inode))

    @_answered
    async def readlink(self, inode: pyfuse3.InodeT, ctx: pyfuse3.RequestContext) -> pyfuse3.FileNameT:
        return pyfuse3.FileNameT(os.fsencode(await self._tree.readlink(inode)))

    @_answered
    async def getxattr(self, inode: pyfuse3.InodeT, name: pyfuse3.XAttrNameT, ctx: pyfuse3.RequestContext) -> bytes:
        told = await self._control.ask(inode, os.fsdecode(name), ctx.pid)
        return await self._tree.getxattr(inode, os.fsdecode(name)) if told is None else told

    @_answered
    async def listxattr(self, inode: pyfuse3.InodeT, ctx: pyfuse3.RequestContext) -> Sequence[pyfuse3.XAttrNameT]:
        return [pyfuse3.XAttrNameT(os.fsencode(name)) for name in self._tree.listxattr(inode)]

    async def forget(self, inode_list: Sequence[tuple[pyfuse3.InodeT, int]]) -> None:
        for inode, count in inode_list:
            self._tree.forget(inode, count)

    @_answered
    async def opendir(self, inode: pyfuse3.InodeT, ctx: pyfuse3.RequestContext) -> pyfuse3.FileHandleT:
        # Read whole at opendir: a directory that changes while it is listed neither skips nor repeats an entry.
        listing = await self._tree.readdir(inode)
        handle = next(self._numbers)
        self._listings[handle] = (inode, listing)
        return pyfuse3.FileHandleT(handle)

    @_answered
    async def readdir(self, fh: pyfuse3.FileHandleT, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        inode, listing = self._listings[fh]
        for index, (name, node, attrs) in enumerate(listing[start_id:], start_id + 1):
            file_name = pyfuse3.FileNameT(os.fsencode(name))
            if not pyfuse3.readdir_reply(token, file_name, self._entry(attrs), index):
                return
            self._tree.remember(node)
            self._tell(inode, file_name, attrs)

    @_answered
    async def releasedir(self, fh: pyfuse3.FileHandleT) -> None:
        del self._listings[fh]

    @_answered
    async def open(self, inode: pyfuse3.InodeT, flags: pyfuse3.FlagT, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        if self._tree.is_document(inode):
            # Its size may have changed since the kernel was told: what is read is what this handle has, to its end.
            return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(await self._tree.open(inode)), direct_io=True)
        # A pin's bytes never change, so what the page cache has of it stays good from one open to the next: unless they
        # were served on the word of a store, and turned out not to be the recorded ones.
        keep_cache = not self._tree.has_failed(inode)
        handle = await self._tree.open(inode)
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(handle), keep_cache=keep_cache)

    @_answered
    async def read(self, fh: pyfuse3.FileHandleT, off: int, size: int) -> bytes:
        data = await self._tree.read(Handle(fh), off, size)
        self.tally.bytes_read += len(data)
        return cast("bytes", data)  # any buffer will do

    @_answered
    async def release(self, fh: pyfuse3.FileHandleT) -> None:
        self._tree.close(Handle(fh))

    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = _STAT_BLOCK
        data.f_namemax = _NAME_LIMIT
        return data

    def _tell(self, parent: pyfuse3.InodeT, name: pyfuse3.FileNameT, attrs: Attrs) -> None:
        """Note that the kernel knows a name, and have it forget others when it knows too many."""
        if not stat.S_ISDIR(attrs.mode):
            for inode, old in self._told.tell((parent, name)):
                # From a thread of its own: the kernel holds directories locked while it waits for our answers.
                pyfuse3.invalidate_entry_async(pyfuse3.InodeT(inode), pyfuse3.FileNameT(old), ignore_enoent=True)

    def _entry(self, attrs: Attrs) -> pyfuse3.EntryAttributes:
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = pyfuse3.InodeT(attrs.inode)
        entry.st_mode = pyfuse3.ModeT(attrs.mode)
        entry.st_nlink = 1
        entry.st_uid, entry.st_gid = self._uid, self._gid
        entry.st_size = attrs.size
        entry.st_blksize = _BLOCK_SIZE
        entry.st_blocks = -(-attrs.size // _STAT_BLOCK)
        entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = attrs.time_ns
        entry.entry_timeout = entry.attr_timeout = attrs.ttl_s
        return entry
