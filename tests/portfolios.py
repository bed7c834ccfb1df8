"""Governed portfolios for tests: a governance repository, gov storage, and projects that are registered and move."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datomfs.layout import DISPATCH_FILE, MIGRATION_HISTORY_FILE, REF_FILE, gov_key
from datomfs.model.location import Location
from tests.builders import git, make_remote


def ref_of(location: Location, *previous: Location) -> dict[str, Any]:
    """A ref as R writes it (format.md §11)."""
    return {"current": _fields(location), "previous": [_fields(each) for each in previous]}


def _fields(location: Location) -> dict[str, Any]:
    fields = {
        "type": location.backend,
        "root": location.root,
        "prefix": location.prefix,
        "region": location.region,
    }
    return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Governance:
    """A bare gov repository, a clone to commit in, and gov storage in a folder; both are kept equal."""

    remote: Path
    clone: Path
    storage: Path

    @property
    def by_repo(self) -> list[str]:
        """The options that find projects through git."""
        return ["--gov-repo", str(self.remote)]

    @property
    def by_store(self) -> list[str]:
        """The options that find projects through gov storage."""
        return ["--gov-store", str(self.storage)]

    def register(self, project: str, location: Location) -> None:
        """A new project."""
        self.put(project, REF_FILE, json.dumps(ref_of(location)))
        self.put(project, DISPATCH_FILE, "{}")
        self.put(project, MIGRATION_HISTORY_FILE, "[]")
        self.publish(f"Register project {project}")

    def move(self, project: str, location: Location) -> None:
        """Another place for a project."""
        self.put(project, REF_FILE, json.dumps(ref_of(location)))
        self.publish(f"Update ref for {project}")

    def unregister(self, project: str) -> None:
        """A project less."""
        for place in self._places:
            shutil.rmtree((place / gov_key(project, REF_FILE)).parent)
        self.publish(f"Unregister project {project}")

    def put(self, project: str, file_name: str, content: str) -> None:
        """A document, not yet committed."""
        for place in self._places:
            path = place / gov_key(project, file_name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def remove(self, project: str, file_name: str) -> None:
        """A document less, not yet committed."""
        for place in self._places:
            (place / gov_key(project, file_name)).unlink()

    def publish(self, message: str) -> None:
        """Commit and push what was put."""
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", message)
        git(self.clone, "push", "--quiet", "origin", "HEAD")

    @property
    def _places(self) -> tuple[Path, Path]:
        return self.clone, self.storage / "datom"


def make_governance(folder: Path) -> Governance:
    """Governance of nothing yet, in new folders below `folder`."""
    remote = make_remote(folder / "gov.git")
    clone = folder / "gov-clone"
    git(folder, "clone", "--quiet", str(remote), str(clone))
    git(clone, "checkout", "--quiet", "-B", "main")
    governance = Governance(remote, clone, folder / "gov-storage")
    for place in (clone, governance.storage / "datom"):
        (place / "projects").mkdir(parents=True)
        (place / "projects" / ".gitkeep").touch()
    governance.publish("Begin")
    return governance
