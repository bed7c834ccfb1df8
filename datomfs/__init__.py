"""datomfs: every version of every study table, as a file."""

__version__ = "0.1.0"
