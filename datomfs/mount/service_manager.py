"""What a daemon tells the service manager that started it: sd_notify(3), spoken by ourselves.

The protocol is one datagram per message. The one library of PyPI that speaks it alone has seen no release since 2017.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping

log = logging.getLogger(__name__)


class ServiceManager:
    """The manager behind a notify socket, or nobody (None). `watchdog_s` is how long it waits for a sign of life."""

    def __init__(self, address: str | None, watchdog_s: float | None) -> None:
        # A name in the abstract namespace is written with @ (sd_notify(3)).
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self.watchdog_s = watchdog_s

    def tell(self, **news: str) -> None:
        """Send news, `READY="1"` for example. Nobody who cannot be told keeps a mount from serving."""
        if not self._address:
            return
        message = "\n".join(f"{name}={value}" for name, value in news.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            log.debug("the service manager cannot be told %s: %s", ", ".join(news), error)


def take_manager(environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
    """The manager that this process is to tell; programs that it starts are not to, and no longer see it."""
    address = environment.pop("NOTIFY_SOCKET", None)
    interval_us, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
    is_watched = interval_us.isdecimal() and pid in ("", str(os.getpid()))
    return ServiceManager(address, int(interval_us) / 1e6 if is_watched and int(interval_us) else None)
