"""Git histories made in no time: any shape, any clock, by `git fast-import`; and those of stored projects."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datomfs.layout import MANIFEST_PATH, history_key, history_path, metadata_path
from tests.builders import git, make_remote
from tests.mounts import StoredProject, Version


@dataclass(frozen=True, slots=True)
class Made:
    """A commit to be made: its committer's second, its parents by number (the first being 0), and files it sets."""

    time_s: int
    parents: Sequence[int] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def import_history(remote: Path, commits: Sequence[Made], branch: str = "main") -> None:
    """Put commits into a bare repository; the branch is at the last of them."""
    stream = bytearray(b"feature done\n")
    for number, made in enumerate(commits):
        message = f"commit {number}".encode()
        stream += b"commit refs/heads/%s\nmark :%d\n" % (branch.encode(), number + 1)
        stream += b"committer Dana <dana@example.org> %d +0000\n" % made.time_s
        stream += b"data %d\n%s\n" % (len(message), message)
        for word, parent in zip(["from", *["merge"] * len(made.parents)], made.parents, strict=False):
            stream += b"%s :%d\n" % (word.encode(), parent + 1)
        if not made.parents:
            stream += b"deleteall\n"
        for path, content in made.files.items():
            stream += b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
        if number + 1 < len(commits):
            # Else a second root would be given the branch's last commit as its parent.
            stream += b"reset refs/heads/%s\n\n" % branch.encode()
    stream += b"done\n"
    command = ["git", "-C", str(remote), "fast-import", "--quiet", "--force"]
    subprocess.run(command, input=bytes(stream), check=True, capture_output=True)


def make_history(remote: Path, commits: Sequence[Made], branch: str = "main") -> Path:
    """A new bare repository with these commits."""
    import_history(make_remote(remote, branch), commits, branch)
    return remote


def add_commit(remote: Path, files: Mapping[str, bytes], time_s: int, branch: str = "main") -> str:
    """One more commit on a branch, which may be new; its id."""
    refs = git(remote, "for-each-ref", "--format=%(refname:short)").splitlines()
    stream = b"commit refs/heads/%s\ncommitter Dana <dana@example.org> %d +0000\ndata 0\n" % (branch.encode(), time_s)
    if branch in refs:
        stream += b"from refs/heads/%s^0\n" % branch.encode()
    for path, content in files.items():
        stream += b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
    subprocess.run(["git", "-C", str(remote), "fast-import", "--quiet"], input=stream, check=True, capture_output=True)
    return git(remote, "rev-parse", branch)


def commit_documents(remote: Path, project: StoredProject, time_s: int, current: Mapping[str, Version]) -> str:
    """The documents of a stored project as one more commit, with these tables at these versions; its id.

    Each history ends at the newest version its table was at so far, as one that only grows does.
    """
    rows, files = {}, {}
    for table, version in current.items():
        known = project.tables[table]
        newest = max(known.index(version), _newest(remote, table, known))
        entries = json.loads(project.store.get(history_key(table)))[len(known) - 1 - newest :]
        rows[table] = {
            "kind": "table",
            "current_version": version.version,
            "current_data_sha": version.data_sha,
            "last_updated": version.timestamp,
            "size_bytes": len(version.body),
            "version_count": len(entries),
        }
        files[history_path(table)] = json.dumps(entries).encode()
        files[metadata_path(table)] = json.dumps(version.document(project.name)).encode()
    manifest = {"schema_version": 2, "project_name": project.name, "artifacts": rows}
    return add_commit(remote, {**files, MANIFEST_PATH: json.dumps(manifest).encode()}, time_s)


def _newest(remote: Path, table: str, known: Sequence[Version]) -> int:
    """The place of the newest version in a table's history in git; -1 where there is none."""
    try:
        entries = json.loads(git(remote, "show", f"main:{history_path(table)}"))
    except subprocess.CalledProcessError:
        return -1
    return [version.version for version in known].index(entries[0]["version"])
