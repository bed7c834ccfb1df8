"""The command `datomfs`: its global options, its commands, and the exit codes every one of them shares.

Exit codes (docs/operations.md): 0 done; 1 a fault of ours; 2 usage or configuration; 3 not found; 4 no access; 5 bytes
that are not the recorded ones; 6 a document that cannot be used; 7 data refused; 8 the clone; 9 the mount;
10 tables that differ; 130 interrupted. They come from the errors themselves; here they only leave the process.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from datomfs import __version__
from datomfs.cli.cache import cache
from datomfs.cli.diff import diff
from datomfs.cli.doctor import doctor
from datomfs.cli.example import example
from datomfs.cli.hash import hash_files
from datomfs.cli.info import info
from datomfs.cli.lineage import lineage
from datomfs.cli.listing import ls
from datomfs.cli.lock import lock
from datomfs.cli.logs import log_to_stderr
from datomfs.cli.mount import mount, unmount
from datomfs.cli.output import emit_error
from datomfs.cli.read import get, history, resolve, show
from datomfs.cli.refresh import refresh
from datomfs.cli.service import service
from datomfs.cli.settings import config
from datomfs.cli.status import status
from datomfs.cli.wiring import Session
from datomfs.cli.write import clone, init, pull, write
from datomfs.errors import DatomfsError

_INTERRUPTED = 130
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C", "clone_dir", type=click.Path(path_type=Path), default=Path(), help="The clone that write and pull work in."
)
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Read settings from this file.")
@click.option("-v", "--verbose", count=True, help="Say more on stderr; -vv says even more.")
@click.version_option(__version__, prog_name="datomfs")
@click.pass_context
def cli(context: click.Context, clone_dir: Path, config_path: Path | None, verbose: int) -> None:
    """Every version of every study table, as a file.

    \b
    Read:   ls  history  show  resolve  get  diff  lineage  lock
    Mount:  mount  unmount  info  refresh  status  service
    Cache:  cache status | warm | pin | unpin | verify | evict | clear
    Write:  init  clone  write  pull
    Try:    example  hash  config  doctor

    \b
    Example: datomfs ls --store /data/study1 --project STUDY_001
    """
    log_to_stderr(_LEVELS[min(verbose, len(_LEVELS) - 1)])
    context.obj = Session(clone_dir, config_path)


for command in (
    cache, clone, config, diff, doctor, example, get, hash_files, history, info, init, lineage, lock, ls, mount, pull,
    refresh, resolve, service, show, status, unmount, write,
):  # fmt: skip
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, or these arguments in its place, and leave the process with the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that is no text, or a letter this terminal lacks, is printed as an escape instead of ending us.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli.main(arguments, prog_name="datomfs", standalone_mode=False)
    except DatomfsError as error:
        emit_error(str(error))
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        emit_error("interrupted")
        sys.exit(_INTERRUPTED)
