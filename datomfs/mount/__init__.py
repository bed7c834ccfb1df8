"""The kernel: pyfuse3 and trio live here and nowhere else. Decodes, calls `vfs`, translates; decides nothing."""
