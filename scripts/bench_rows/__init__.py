"""What `scripts/bench` measures: datomfs beside its native counterparts, row by row, as a markdown table.

`__main__` lists the rows. `hashing`, `writing`, `reading` and `starting` hold what they do; `tables` and `plain` are
the data and datom-cv1 in plain numpy, `measure` and `places` the clock and the mounts, `report` is the table. Nothing
in datomfs imports this.
"""
