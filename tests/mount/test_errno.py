"""What each error is to a program that reads: the table of docs/semantics.md, error by error."""

from __future__ import annotations

import errno

import pytest

from datomfs import errors
from datomfs.mount.errno import errno_of

EXPECTED = {
    errno.ENOENT: {
        "ProjectNotFound", "TableNotFound", "VersionNotFound", "NotATable", "FileMissing",
        "NothingThen", "NothingNamed", "NotPinned",
    },
    errno.ENOTUNIQ: {"VersionAmbiguous"},
    errno.ENODATA: {"AttributeNotFound"},
    errno.EOPNOTSUPP: {"AttributeForeign"},
    errno.EACCES: {"StoreDenied", "RefForbidden"},
    errno.ESTALE: {"PayloadResized"},
    errno.EIO: {
        "InvalidName", "InvalidSha", "InvalidTarget", "InvalidKey", "ConfigInvalid",
        "ObjectMissing", "ObjectChanged", "ObjectExists", "StoreMissing", "StoreUnreachable",
        "RemoteUnreachable", "RemoteDenied", "PublishPending", "NoSpace", "FileUnwritable", "PathUnreadable",
        "PayloadMismatch", "RecordedMissing", "PayloadForeign",
        "DocumentInvalid", "DocumentTooLarge", "RefMissing", "SchemaUnsupported", "SchemaInvalid", "VocabularyUnknown",
        "WriterTooOld",
        "UnhashableColumns", "EmptyTable", "UnreadableFile", "SourceChanged",
        "FormatUnsupported", "LossyImport", "MemoryShort",
        "NotAClone", "CloneBusy", "CloneDirty", "CloneDiverged", "CloneMismatch", "RemoteRefused", "WriteConflict",
        "DirectoryNotEmpty", "RemoteNotEmpty", "NamespaceOccupied",
        "MountpointMissing", "MountpointNotEmpty", "MountpointBusy", "NotMounted", "NotInAMount", "UnmountBusy",
        "MountRefused", "FuseMissing", "MountExtraMissing", "MountFailed", "AllowOtherForbidden", "MountUnreported",
        "CacheUnusable", "CacheFull", "CacheDamaged", "MomentNotOver", "RoadsDiffer", "KeyUnusable",
    },
}  # fmt: skip


def leaves(kind: type[errors.DatomfsError]) -> set[type[errors.DatomfsError]]:
    """The errors below `kind` that have none below them."""
    below = kind.__subclasses__()
    return {kind} if not below else set().union(*(leaves(child) for child in below))


LEAVES = {kind for kind in leaves(errors.DatomfsError) if kind.__module__ == errors.__name__}


def test_the_table_here_names_every_error() -> None:
    assert {kind.__name__ for kind in LEAVES} == set().union(*EXPECTED.values())


@pytest.mark.parametrize("kind", sorted(LEAVES, key=repr), ids=lambda kind: kind.__name__)
def test_errno_of_each_error(kind: type[errors.DatomfsError]) -> None:
    expected = next(number for number, names in EXPECTED.items() if kind.__name__ in names)
    assert expected == errno_of(kind.__new__(kind))


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (NotADirectoryError(), errno.ENOTDIR),
        (IsADirectoryError(), errno.EISDIR),
        (KeyError(5), errno.ESTALE),
        (OSError(errno.EIO, "disk"), errno.EIO),
        (PermissionError(errno.EACCES, "disk"), errno.EIO),
        (ValueError("a fault of ours"), errno.EIO),
        (MemoryError(), errno.EIO),
    ],
)
def test_errno_of_what_is_no_error_of_ours(error: Exception, number: int) -> None:
    assert number == errno_of(error)
