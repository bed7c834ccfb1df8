"""What governance may have a workstation read, and how often it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datomfs.catalog.governance import GovStore
from datomfs.catalog.governed import Governed
from datomfs.errors import DocumentError, DocumentInvalid, ObjectMissing, RefForbidden, RefMissing, RemoteUnreachable
from datomfs.layout import REF_FILE, gov_key
from datomfs.model.location import Location
from datomfs.store.memory import MemoryStore
from tests.mounts import eventually
from tests.portfolios import ref_of

P = "STUDY_001"


def governed(document: Any, *roots: Path) -> Governed:
    """Governance whose one ref is this document."""
    store = MemoryStore("gov")
    store.put(gov_key(P, REF_FILE), json.dumps(document).encode())
    return Governed(GovStore(store), roots)


def folder(root: Path | str, prefix: str | None = None) -> dict[str, Any]:
    return ref_of(Location("local", str(root), prefix))


# -- folders -------------------------------------------------------------------------------------------------------


def test_a_bucket_is_followed_wherever_it_is() -> None:
    location = Location("s3", "acme", "p", "eu-central-1")
    assert location == governed(ref_of(location)).read_ref(P).current


def test_a_folder_is_followed_below_a_root_that_was_named_and_nowhere_else(tmp_path: Path) -> None:
    document = folder(tmp_path / "data" / "study", "p")
    for root in (tmp_path, tmp_path / "data", tmp_path / "data" / "study", tmp_path / "data" / "study" / "p"):
        assert str(tmp_path / "data" / "study") == governed(document, root).read_ref(P).current.root
    for roots in ((), (tmp_path / "dat",), (tmp_path / "data" / "study" / "q",), (tmp_path / "other",)):
        with pytest.raises(RefForbidden, match=f"projects/{P}/ref.json in memory:gov places {P} in the folder"):
            governed(document, *roots).read_ref(P)


def test_the_reason_names_folder_and_way_out(tmp_path: Path) -> None:
    with pytest.raises(RefForbidden) as caught:
        governed(folder("/etc")).read_ref(P)
    assert f"projects/{P}/ref.json in memory:gov places {P} in the folder /etc, which is below no allowed root" == (
        caught.value.what
    )
    assert "--allow-root" in caught.value.way_out


@pytest.mark.parametrize(
    ("root", "prefix"),
    [
        ("{}/allowed/../secret", None),
        ("{}/allowed", "../secret"),
        ("{}/allowed/x/../..", "secret"),
        ("{}/allowed/link", None),
        ("{}/allowed", "link"),
        ("{}/allowed/link/.", None),
        ("allowed", None),
        ("~", None),
        (".", None),
        ("/", None),
    ],
)
def test_neither_dots_nor_links_lead_out_of_a_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str, prefix: str | None
) -> None:
    (tmp_path / "secret" / "datom").mkdir(parents=True)
    (tmp_path / "allowed" / "x").mkdir(parents=True)
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "secret")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RefForbidden):
        governed(folder(root.format(tmp_path), prefix), tmp_path / "allowed").read_ref(P)


def test_a_store_that_is_a_link_out_of_a_root_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "datom").symlink_to(tmp_path / "secret")
    with pytest.raises(RefForbidden):
        governed(folder(tmp_path / "allowed"), tmp_path / "allowed").read_ref(P)


def test_links_and_dots_that_stay_inside_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "study").mkdir(parents=True)
    (tmp_path / "root").symlink_to(tmp_path / "real")
    for root in (tmp_path / "root", tmp_path / "real"):
        for place in (tmp_path / "root" / "study", tmp_path / "real" / "x" / ".." / "study"):
            assert str(place) == governed(folder(place), root).read_ref(P).current.root


def test_links_in_a_circle_lead_nowhere_and_hang_nobody(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(RefForbidden):
        governed(folder(tmp_path / "a"), tmp_path / "allowed").read_ref(P)


PARTS = st.lists(
    st.sampled_from(["..", ".", "", "in", "out", "link", "secret", "allowed", "datom", "x" * 300, "\udcff"]), max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTS, PARTS)
def test_whatever_a_ref_says_what_is_followed_is_below_the_root(
    tmp_path: Path, root: list[str], prefix: list[str]
) -> None:
    allowed = tmp_path / "allowed"
    for each in (tmp_path / "secret", allowed / "in"):
        each.mkdir(parents=True, exist_ok=True)
    for link, target in ((allowed / "link", tmp_path / "secret"), (tmp_path / "secret" / "in", allowed)):
        if not link.is_symlink():
            link.symlink_to(target)
    try:
        current = governed(folder("/".join([str(allowed), *root]), "/".join(prefix)), allowed).read_ref(P).current
    except (RefForbidden, DocumentError):
        return
    assert Path(current.root, current.namespace).resolve().is_relative_to(allowed)


# -- documents -----------------------------------------------------------------------------------------------------


def test_a_registered_project_without_a_ref_is_told_as_such() -> None:
    with pytest.raises(RefMissing, match=f"{P} is registered, but there is no projects/{P}/ref.json in memory:gov"):
        Governed(GovStore(MemoryStore("gov"))).read_ref(P)


@pytest.mark.parametrize("document", [None, {}, {"current": {"type": "s3"}}, {"current": {"type": "ftp", "root": "x"}}])
def test_a_ref_that_names_no_place_is_told_with_its_own(document: Any) -> None:
    with pytest.raises(DocumentInvalid, match=f"projects/{P}/ref.json in memory:gov"):
        governed(document).read_ref(P)


# -- how often it is asked -----------------------------------------------------------------------------------------


class Remote:
    """Governance that counts how often it is asked, and answers when a test lets it."""

    def __init__(self) -> None:
        self.count = 0
        self.error: RemoteUnreachable | None = None
        self.asked = threading.Event()
        self.answering = threading.Event()
        self.answering.set()

    def refresh(self) -> None:
        self.count += 1
        self.asked.set()
        assert self.answering.wait(30)
        if self.error is not None:
            raise self.error

    def projects(self) -> Sequence[str]:
        return ()

    def get(self, project: str, file_name: str) -> bytes:
        raise ObjectMissing("remote", file_name)

    def where(self, project: str, file_name: str) -> str:
        return file_name

    @property
    def url(self) -> str:
        return "remote"

    def recall(self, project: str, file_name: str) -> None:
        """Nothing."""

    def recall_projects(self) -> None:
        """None."""


class Clock:
    """Tells the time, and how often it was asked: each question asks it once, each answer twice more."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        self.count += 1
        return time.monotonic()


def ask_many(remote: Remote, subject: Governed, clock: Clock, count: int) -> list[object]:
    """What several get who all ask while the first one's answer is not there yet."""
    remote.answering.clear()
    remote.asked.clear()
    remote.count = clock.count = 0
    with ThreadPoolExecutor(count) as pool:
        first = pool.submit(subject.refresh)
        assert remote.asked.wait(30)
        others = [pool.submit(subject.refresh) for _ in range(count - 1)]
        eventually(lambda: clock.count == count + 1)
        remote.answering.set()
        return [future.exception() or future.result() for future in (first, *others)]


def test_everybody_gets_an_answer_that_is_no_older_than_his_question() -> None:
    remote = Remote()
    subject = Governed(remote)
    subject.refresh()
    subject.refresh()
    assert 2 == remote.count


def test_many_who_ask_while_somebody_is_asking_share_the_next_answer() -> None:
    remote, clock = Remote(), Clock()
    assert [None] * 16 == ask_many(remote, Governed(remote, clock=clock), clock, 16)
    assert 2 == remote.count


def test_a_remote_that_is_away_is_waited_for_once() -> None:
    remote, clock = Remote(), Clock()
    remote.error = RemoteUnreachable("remote", "cable cut")
    subject = Governed(remote, clock=clock)
    assert [remote.error] * 8 == ask_many(remote, subject, clock, 8)
    assert 1 == remote.count
    remote.error = None
    subject.refresh()
    assert 2 == remote.count
