"""Where the log of a process goes, and in which form: a terminal, systemd's journal, or a file.

Only our own loggers say more than errors, whatever the level: urllib3's tell of each try what the error tells once, and
botocore's would print signed headers and session tokens.
"""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path

from datomfs.errors import FileUnwritable

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))


class JournalFormatter(logging.Formatter):
    """Lines as the journal wants them: a priority before each (sd-daemon(3)), and no time, which it has itself."""

    def format(self, record: logging.LogRecord) -> str:
        """All lines of a record."""
        priority = next(number for level, number in _PRIORITIES if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def is_journal(fd: int) -> bool:
    """Whether a stream of ours goes to the journal; a pipe that was put in its place does not (systemd.exec(5))."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def log_to_stderr(level: int) -> None:
    """Log our own messages from `level` on to standard error, and others' errors.

    Where somebody listens already (who runs the command line within a program), that is left as it is.
    """
    if not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JournalFormatter("%(name)s: %(message)s") if is_journal(2) else logging.Formatter(_FORMAT))
        _install(handler)
    logging.getLogger("datomfs").setLevel(level)


def log_to_file(path: Path) -> None:
    """Log to a file and nowhere else, opened anew when logrotate has moved it. Raises FileUnwritable."""
    check_log_file(path)
    handler = WatchedFileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(_FORMAT))
    _install(handler)


def check_log_file(path: Path) -> None:
    """Make a log file, and its folder, if there is none. Raises FileUnwritable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise FileUnwritable(str(path), str(error.strerror)) from error


def _install(handler: logging.Handler) -> None:
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
        other.close()
    root.addHandler(handler)
    root.setLevel(logging.ERROR)
