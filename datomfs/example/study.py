"""The tables of EXAMPLE-201 as the study database showed them on any day: the first data a newcomer sees.

Four domains in the shape of CDISC SDTM, with more kinds of column than SDTM itself has, so that a store of them
exercises the format. The command line's example and the tests call this; it knows no store and no project.

Tables grow from cutoff to cutoff, and a row once there keeps its values, but for these late completions:
  dm  RFSTDTC, RFSTDT, ARMCD and ARM come with the first injection; one AGE is corrected on 2026-03-16
  ex  none
  lb  LBORRES, LBSTRESN, LBNRIND and LBBLFL of a sample may come up to seven weeks after it was drawn
  ae  AEENDTC and AEENDT come, and AEOUT changes, when the event has ended
"""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from datomfs.errors import ConfigInvalid, EmptyTable
from datomfs.example.domains import simulate

CUTOFFS: tuple[date, ...] = tuple(date(2026, month, 28) for month in range(1, 7))

_COLUMNS = {
    "dm": "STUDYID DOMAIN USUBJID SUBJID SITEID COUNTRY RFICDTC RFICDT RFSTDTC RFSTDT AGE AGEU SEX RACE ARMCD ARM",
    "ex": "STUDYID DOMAIN USUBJID EXSEQ EXTRT EXDOSE EXDOSU EXDOSFRM EXROUTE EXADJ VISITNUM VISIT VISITDY"
    " EXSTDTC EXSTDT EXENDTC EXENDT",
    "lb": "STUDYID DOMAIN USUBJID LBSEQ LBTESTCD LBTEST LBCAT LBORRES LBORRESU LBSTRESN LBSTRESU LBSTNRLO LBSTNRHI"
    " LBNRIND LBSTAT LBREASND LBBLFL VISITNUM VISIT VISITDY LBDTC LBDTM",
    "ae": "STUDYID DOMAIN USUBJID AESEQ AETERM AEDECOD AEBODSYS AESEV AESER AEREL AEOUT AESTDTC AESTDT AEENDTC AEENDT",
}
_TYPES: dict[pa.DataType, str] = {
    pa.int32(): "AGE EXSEQ LBSEQ AESEQ VISITNUM VISITDY",
    pa.float64(): "EXDOSE LBSTRESN LBSTNRLO LBSTNRHI",
    pa.date32(): "RFICDT RFSTDT EXSTDT EXENDT AESTDT AEENDT",
    pa.timestamp("us", "UTC"): "LBDTM",
    pa.bool_(): "AESER",
}
_TYPE_OF = {name: kind for kind, names in _TYPES.items() for name in names.split()}

DOMAINS: tuple[str, ...] = tuple(_COLUMNS)


def make_domain(domain: str, cutoff: date) -> pa.Table:
    """The rows of one of DOMAINS that were in the database at the end of the UTC day `cutoff`.

    Ordered by USUBJID and sequence number; equal on every machine. Whatever has no other type in this module is
    text, and whatever is not known is null. Raises ConfigInvalid for a domain the study does not have, EmptyTable for
    a cutoff before the domain's first row (dm begins on 2026-01-05, ex and ae some days later).
    """
    if domain not in _COLUMNS:
        raise ConfigInvalid("example", f"there is no domain {domain!r}, only {', '.join(DOMAINS)}")
    schema = pa.schema([(name, _TYPE_OF.get(name, pa.string())) for name in _COLUMNS[domain].split()])
    rows = [row for record in simulate(domain) if (row := record.as_of(cutoff)) is not None]
    if not rows:
        raise EmptyTable(rows=0, columns=len(schema))
    return pa.Table.from_pylist(rows, schema=schema)
