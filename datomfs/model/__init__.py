"""Frozen values and the documents they are parsed from and rendered to. No I/O here, ever."""
