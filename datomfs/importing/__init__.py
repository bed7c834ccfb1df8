"""Files that are no payloads yet, read into Arrow tables as R datom's sync reads them (format.md §3.7).

`formats` is the door: it knows which ending is read by which module. `delimited` and the modules below it read text
(csv, tsv, txt, psv), `statistical` the files of SAS, SPSS and Stata, `excel` workbooks. Nothing here writes, and
nothing here knows projects, stores or versions.
"""
