"""`datomfs example`: the same table for everybody, or one clear refusal."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datomfs.example.study import DOMAINS, make_domain
from tests.cli.command import Datomfs


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_is_written_as_it_was_at_the_cutoff(datomfs: Datomfs, tmp_path: Path, domain: str) -> None:
    path = tmp_path / f"{domain}.parquet"
    outcome = datomfs("example", domain, "--cutoff", "2026-03-28", "-o", path)
    table = make_domain(domain, date(2026, 3, 28))
    assert (0, "") == (outcome.code, outcome.err)
    assert table.equals(pq.read_table(path))
    assert f"{path}: {table.num_rows} rows, {table.num_columns} columns\n" == outcome.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["xx", "--cutoff", "2026-03-28", "-o", "x.parquet"], 2, "there is no domain 'xx', only dm, ex, lb, ae"),
        (["dm", "--cutoff", "28.3.2026", "-o", "x.parquet"], 2, "does not match the format"),
        (["dm", "--cutoff", "2019-01-01", "-o", "x.parquet"], 7, "this one has 0 rows"),
        (["dm", "--cutoff", "2026-03-28", "-o", "nowhere/x.parquet"], 4, "nowhere/x.parquet cannot be written"),
        (["dm", "--cutoff", "2026-03-28", "-o", "."], 4, "cannot be written: Is a directory"),
        (["dm", "-o", "x.parquet"], 2, "--cutoff"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(
    datomfs: Datomfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = datomfs("example", *arguments)
    assert (code, "") == (outcome.code, outcome.out)
    assert says in outcome.err
    assert [] == list(tmp_path.iterdir())
