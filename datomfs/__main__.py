"""`python -m datomfs`: the same as the command `datomfs`. The mount's daemon is started this way."""

from datomfs.cli.main import main

if __name__ == "__main__":
    main()
