"""From errors to errno: one table for everything a mount can answer.

What a document names and the store lacks is EIO, never ENOENT: a reader must not take a lost version for one that
never was. What somebody may not read is EACCES. ENOTUNIQ says that a version prefix is too short, ENODATA that there
is no such extended attribute, EOPNOTSUPP that there will be none of that namespace, so that nobody asks file by file.
ESTALE of an open has the kernel look the name up once more, and open what it then finds.
"""

from __future__ import annotations

import errno

from datomfs.errors import (
    AttributeForeign,
    AttributeNotFound,
    DatomfsError,
    NotFound,
    PayloadResized,
    RefForbidden,
    StoreDenied,
    VersionAmbiguous,
)

_TABLE: tuple[tuple[type[BaseException], int], ...] = (
    (VersionAmbiguous, errno.ENOTUNIQ),
    (AttributeNotFound, errno.ENODATA),
    (AttributeForeign, errno.EOPNOTSUPP),
    (NotFound, errno.ENOENT),
    (StoreDenied, errno.EACCES),
    (RefForbidden, errno.EACCES),
    (PayloadResized, errno.ESTALE),
    (DatomfsError, errno.EIO),
    (NotADirectoryError, errno.ENOTDIR),
    (IsADirectoryError, errno.EISDIR),
    (KeyError, errno.ESTALE),
)


def errno_of(error: BaseException) -> int:
    """The errno a failed call of the kernel is answered with; EIO for what nobody foresaw."""
    return next((number for kind, number in _TABLE if isinstance(error, kind)), errno.EIO)
