"""The daemon's heaps: as many as were allowed, whatever the number of threads (malloc_info(3) counts them)."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Threads that allocate at the same time, and the count of heaps afterwards.
PROGRAM = """
import ctypes, sys, threading
from datomfs.mount.allocator import limit_arenas
if sys.argv[1] == "limited":
    limit_arenas()
gate = threading.Barrier(12)
def work():
    gate.wait()
    blocks = [bytearray(1000 + i) for i in range(2000)]
    gate.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


def count_heaps(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such heaps")
def test_threads_share_two_heaps() -> None:
    assert 2 < count_heaps("free")
    assert count_heaps("limited") <= 2
