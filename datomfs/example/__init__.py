"""A small simulated clinical study to try datomfs on, made here and nowhere copied from.

`study` gives its tables as they stood on any day; `subjects` invents the patients, `domains` what is recorded of them.
Nothing is imported until it is asked for: commands that never show the example do not pay for pyarrow.
"""
