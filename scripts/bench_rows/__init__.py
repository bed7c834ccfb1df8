"""What `scripts/bench` measures: datomfs beside those who do the same, row by row, as a markdown table.

`__main__` lists the rows. Those on this machine are in `hashing`, `writing`, `reading` and `starting`; their data are
made in `tables`, and `plain` is datom-cv1 in plain numpy. Those over S3 are in `streaming`, `picking`, `listing`,
`governed` and `standing`; `remote` is the bucket behind the proxy, with the data of `wide` and the documents of
`studies`, of which `portfolios` makes many. `sides` and
`taking` say who reads and how that is measured, `reader` what a reader does in its own process, `peers` which other
mounts there are, `mounting` how any mount comes and goes. `measure` is the clock and what a figure is, `places` the
folder of a run, `report` the table. Nothing in datomfs imports this.
"""
