"""Who governs: the repository and its mirror in gov storage tell the same, and one stands in for the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datomfs.catalog.governance import EitherGovernance, Governance, GovRepo, GovStore
from datomfs.errors import AccessError, InvalidName, ObjectMissing, RemoteUnreachable, StoreMissing
from datomfs.layout import REF_FILE
from datomfs.model.location import Location
from datomfs.repo.mirror import Mirror
from datomfs.store.local import LocalStore
from tests import portfolios
from tests.portfolios import make_governance

PLACE = Location("s3", "acme")


_mirrors: list[Mirror] = []


def by_repo(made: portfolios.Governance) -> Governance:
    _mirrors.append(Mirror(str(made.remote), made.remote.parent / "mirrors"))
    return GovRepo(_mirrors[-1])


def by_store(made: portfolios.Governance) -> Governance:
    return GovStore(LocalStore(Location("local", str(made.storage))))


def by_either(made: portfolios.Governance) -> Governance:
    return EitherGovernance(by_repo(made), by_store(made))


roads = pytest.mark.parametrize("road", [by_repo, by_store, by_either])
Road = Callable[[portfolios.Governance], Governance]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[portfolios.Governance]:
    yield make_governance(tmp_path)
    while _mirrors:
        repo = _mirrors.pop()._repo
        if repo is not None:
            repo.close()


@roads
def test_projects_are_the_folders_in_order(made: portfolios.Governance, road: Road) -> None:
    governance = road(made)
    governance.refresh()
    assert [] == list(governance.projects())
    for name in ("B", "A b (1)"):
        made.register(name, PLACE)
    governance.refresh()
    assert ["A b (1)", "B"] == list(governance.projects())
    made.unregister("B")
    governance.refresh()
    assert ["A b (1)"] == list(governance.projects())


@roads
def test_folders_that_no_project_could_be_called_are_passed_over(made: portfolios.Governance, road: Road) -> None:
    made.register("A", PLACE)
    for name in (".hidden", "9", "x.y", "datom", "a:b", "ä"):
        made.put("A", f"../{name}/{REF_FILE}", "{}")
    made.put("A", "../stray.json", "{}")
    made.publish("What is no project")
    governance = road(made)
    governance.refresh()
    assert ["A"] == list(governance.projects())


@roads
def test_documents_come_as_they_were_written(made: portfolios.Governance, road: Road) -> None:
    made.register("A", PLACE)
    made.put("A", REF_FILE, "no json, ä\r\n\n")
    made.publish("As it is")
    governance = road(made)
    governance.refresh()
    assert "no json, ä\r\n\n".encode() == governance.get("A", REF_FILE)
    assert governance.where("A", REF_FILE).startswith("projects/A/ref.json in ")
    for project, file_name in (("A", "none.json"), ("B", REF_FILE)):
        with pytest.raises(ObjectMissing):
            governance.get(project, file_name)


@roads
def test_a_name_that_is_none_asks_nobody(made: portfolios.Governance, road: Road) -> None:
    governance = road(made)
    for name in ("..", "a/b", "", "../../etc"):
        with pytest.raises(InvalidName):
            governance.get(name, REF_FILE)


def test_a_repository_is_as_it_was_fetched_last(made: portfolios.Governance) -> None:
    governance = by_repo(made)
    governance.refresh()
    made.register("A", PLACE)
    assert [] == list(governance.projects())


def test_a_place_that_is_not_there_is_an_error_and_not_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        GovStore(LocalStore(Location("local", str(tmp_path / "none")))).projects()
    with pytest.raises(RemoteUnreachable):
        GovRepo(Mirror(str(tmp_path / "none.git"), tmp_path / "mirrors")).refresh()


# -- one for the other ---------------------------------------------------------------------------------------------


@pytest.mark.expected_warnings
def test_while_the_repository_is_away_storage_stands_in_and_one_line_says_so(
    made: portfolios.Governance, caplog: pytest.LogCaptureFixture
) -> None:
    made.register("A", PLACE)
    governance = by_either(made)
    governance.refresh()
    assert str(made.remote) in governance.where("A", REF_FILE)
    made.remote.rename(made.remote.with_name("away"))
    for _ in range(3):
        governance.refresh()
    assert ["A"] == list(governance.projects())
    assert str(made.storage) in governance.where("A", REF_FILE)
    assert governance.get("A", REF_FILE)
    (message,) = caplog.messages
    assert message.startswith("projects come from gov storage for now: ")
    made.remote.with_name("away").rename(made.remote)
    governance.refresh()
    assert str(made.remote) in governance.where("A", REF_FILE)


def test_when_both_are_away_the_repositorys_reason_is_told(made: portfolios.Governance) -> None:
    governance = by_either(made)
    for place in (made.remote, made.storage):
        place.rename(place.with_name(f"{place.name}.away"))
    with pytest.raises(AccessError) as caught:
        governance.refresh()
    assert isinstance(caught.value, RemoteUnreachable)


def test_what_git_says_weighs_more_than_its_mirror(made: portfolios.Governance) -> None:
    made.register("A", PLACE)
    made.put("A", REF_FILE, "in both")
    made.publish("Update ref for A")
    Path(made.storage, "datom", "projects", "A", REF_FILE).write_text("in storage alone")
    governance = by_either(made)
    governance.refresh()
    assert b"in both" == governance.get("A", REF_FILE)
