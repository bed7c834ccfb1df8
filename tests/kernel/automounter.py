"""An automount as systemd makes one, for one place and one mount: `automounter.py PLACE COMMAND...`.

Mounts autofs at PLACE (Documentation/filesystems/autofs.rst in the kernel), says `ready`, waits for the first who
comes, runs COMMAND in its own process group as systemd runs mount(8), and lets everybody in. It ends, with both mounts,
when its standard input does.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
import sys

_PACKET = struct.Struct("=iiI")  # autofs_v5_packet begins: protocol, type, and the token to answer with
_PACKET_SIZE = 304
_READY, _FAIL = 0x9360, 0x9361  # AUTOFS_IOC_READY, AUTOFS_IOC_FAIL


def main() -> None:
    place, *command = sys.argv[1:]
    reading, writing = os.pipe()
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={writing},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
    if libc.mount(b"systemd-1", os.fsencode(place), b"autofs", 0, options.encode()) != 0:
        sys.exit(f"autofs: {os.strerror(ctypes.get_errno())}")
    control = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    os.close(writing)
    try:
        print("ready", flush=True)
        _, _, token = _PACKET.unpack_from(os.read(reading, _PACKET_SIZE))
        code = subprocess.run(command, check=False).returncode
        fcntl.ioctl(control, _FAIL if code else _READY, token)
        print(f"mounted {code}", flush=True)
        sys.stdin.read()
    finally:
        subprocess.run(["fusermount3", "-uqz", place], check=False)
        os.close(control)
        libc.umount2(os.fsencode(place), 2)


if __name__ == "__main__":
    main()
