"""Inodes and modes of the things a mount is made of."""

from __future__ import annotations

import stat

import pytest

from datomfs.model.sets import MemberId
from datomfs.vfs.nodes import (
    ArtifactDocumentsDir,
    AsOfDir,
    AsOfLink,
    DocumentFile,
    DocumentsDir,
    MemberLink,
    Node,
    PayloadFile,
    ProjectDir,
    Root,
    SetDir,
    SetVersionDir,
    TableDir,
    TableLink,
    VersionLink,
    VersionsDir,
    inode_of,
    mode_of,
)

VERSION = "8a3b21cc".ljust(64, "0")
SET_VERSION = SetVersionDir("STUDY_001", "liver-safety", VERSION, 1)
MEMBER = MemberLink(SET_VERSION, "dm.parquet", MemberId("STUDY_001", "dm", "table", VERSION))

GOLDEN: list[tuple[Node, int]] = [
    (Root(), 1),
    (ProjectDir("STUDY_001"), 5906543361869523563),
    (TableDir("STUDY_001", "dm"), 8353158690374988603),
    (TableLink("STUDY_001", "dm"), 5051249080554803305),
    (PayloadFile("STUDY_001", "dm", VERSION, 1, 2), 8796199212366383220),
    (AsOfDir("STUDY_001", "2026-03-31", 1), 2910128913025228448),
    (AsOfLink(AsOfDir("STUDY_001", "2026-03-31", 1), "dm", VERSION, 2), 6247509099431495405),
    (TableDir("STUDY_001", "Name with (parens) - v2"), 3523375075125066539),
    (SetDir("STUDY_001", "liver-safety"), 5205384681472106059),
    (SET_VERSION, 22700486526934739),
    (DocumentsDir("STUDY_001"), 6611562696473929296),
    (ArtifactDocumentsDir("STUDY_001", "dm"), 190759911474681039),
    (VersionsDir("STUDY_001", "dm"), 8855274763944244211),
    (VersionLink("STUDY_001", "dm", False, VERSION, 1), 4318488444872524656),
    (DocumentFile("STUDY_001", None, "ref.json"), 7386788638073063226),
    (DocumentFile("STUDY_001", "dm", "history.csv"), 1349447811999283441),
    (MEMBER, 332905623832632141),
]
"""Written down once: a mount of any release on any machine shows these numbers."""


@pytest.mark.parametrize(("node", "inode"), GOLDEN)
def test_inodes_are_the_same_in_every_release(node: Node, inode: int) -> None:
    assert inode == inode_of(node)


def test_an_inode_depends_on_what_a_payload_is_not_on_how_it_looks() -> None:
    assert inode_of(PayloadFile("P", "dm", VERSION, 1, 2)) == inode_of(PayloadFile("P", "dm", VERSION, 300, 400))


def test_an_inode_of_a_moment_does_not_depend_on_what_is_found_there() -> None:
    assert inode_of(AsOfLink(AsOfDir("P", "2026-03-31", 1), "dm", VERSION, 1)) == inode_of(
        AsOfLink(AsOfDir("P", "2026-03-31", 1), "dm", "1" * 64, 9)
    )


def test_different_things_have_different_inodes() -> None:
    nodes: list[Node] = [
        ProjectDir("dm"), TableDir("P", "dm"), TableLink("P", "dm"), TableDir("dm", "P"),
        AsOfDir("P", "2026-03-31", 1), AsOfDir("P", "20260331T235959Z", 1), AsOfDir("Q", "2026-03-31", 1),
        AsOfLink(AsOfDir("P", "2026-03-31", 1), "dm", VERSION, 1),
        AsOfLink(AsOfDir("P", "2026-03-31", 1), "ex", VERSION, 1),
        PayloadFile("P", "dm", VERSION, 1, 1), PayloadFile("P", "ex", VERSION, 1, 1),
        PayloadFile("Q", "dm", VERSION, 1, 1), PayloadFile("P", "dm", VERSION[:-1] + "1", 1, 1),
        DocumentsDir("P"), ArtifactDocumentsDir("P", "dm"), VersionsDir("P", "dm"),
        VersionLink("P", "dm", False, VERSION, 1), DocumentFile("P", None, "dm"), DocumentFile("P", "dm", "dm"),
        SetDir("P", "dm"), SetVersionDir("P", "dm", VERSION, 1), SetVersionDir("Q", "dm", VERSION, 1),
        MemberLink(SetVersionDir("P", "dm", VERSION, 1), "dm", MEMBER.member),
        MemberLink(SetVersionDir("P", "dm", VERSION, 1), "dm.parquet", MEMBER.member),
    ]  # fmt: skip
    assert len(nodes) == len({inode_of(node) for node in nodes})


def test_inodes_fit_in_a_signed_number_and_never_are_the_root() -> None:
    for number in range(2000):
        assert 1 < inode_of(ProjectDir(f"P{number}")) < 1 << 63


@pytest.mark.parametrize(
    ("node", "mode"),
    [
        (Root(), stat.S_IFDIR | 0o555),
        (ProjectDir("P"), stat.S_IFDIR | 0o555),
        (TableDir("P", "dm"), stat.S_IFDIR | 0o555),
        (TableLink("P", "dm"), stat.S_IFLNK | 0o777),
        (AsOfDir("P", "2026-03-31", 1), stat.S_IFDIR | 0o555),
        (AsOfLink(AsOfDir("P", "2026-03-31", 1), "dm", VERSION, 1), stat.S_IFLNK | 0o777),
        (PayloadFile("P", "dm", VERSION, 1, 1), stat.S_IFREG | 0o444),
        (SetDir("P", "dm"), stat.S_IFDIR | 0o555),
        (SET_VERSION, stat.S_IFDIR | 0o555),
        (MEMBER, stat.S_IFLNK | 0o777),
        (DocumentsDir("P"), stat.S_IFDIR | 0o555),
        (ArtifactDocumentsDir("P", "dm"), stat.S_IFDIR | 0o555),
        (VersionsDir("P", "dm"), stat.S_IFDIR | 0o555),
        (VersionLink("P", "dm", True, VERSION, 1), stat.S_IFLNK | 0o777),
        (DocumentFile("P", "dm", "history.csv"), stat.S_IFREG | 0o444),
    ],
)
def test_modes_let_everybody_read_and_nobody_write(node: Node, mode: int) -> None:
    assert mode == mode_of(node)
