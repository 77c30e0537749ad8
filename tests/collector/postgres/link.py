"""A link between a collector and its PostgreSQL that can be cut, stopped, or cut at the very moment of a commit."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

# As the driver sends it, in clear and on its own: a link without TLS shows it.
COMMIT = b"COMMIT\0"


class Link:
    """Passes bytes between a free loopback port and a server's socket."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._opened: list[socket.socket] = []
        self._flows = threading.Event()
        self._flows.set()
        self._ends = False
        self.at_commit: Literal["", "lose the commit", "lose the answer", "keep the commit"] = ""
        self.lost = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._flows.set()
        self.cut()
        for end in self._opened:
            _break(end)
            end.close()

    def stop(self) -> None:
        """Pass nothing on any more, with every connection open: nobody is told."""
        self._flows.clear()

    def go_on(self) -> None:
        """Pass on again, also what has gathered."""
        self._flows.set()

    def cut(self) -> None:
        """Break every connection that is open now."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _break(end)

    def _accept(self) -> None:
        while not self._ends:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            self._opened += [client, server]
            try:
                server.connect(str(self._server))
            except OSError:
                client.close()
                server.close()
                continue
            self._pairs.append((client, server))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, target, source is client), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        with suppress(OSError):
            while octets := source.recv(65_536):
                self._flows.wait()
                if is_client and COMMIT in octets and self.at_commit:
                    self._lose(octets, source, target)
                    return
                target.sendall(octets)
        _break(source)
        _break(target)

    def _lose(self, octets: bytes, client: socket.socket, server: socket.socket) -> None:
        how, self.at_commit = self.at_commit, ""
        if how == "keep the commit":
            # From here on this one connection is silent, with both ends open; others may be made.
            self.lost.set()
            return
        # The other direction is cut first, so that the answer cannot slip through.
        _break(client)
        if how == "lose the answer":
            server.sendall(octets)
        else:
            _break(server)
        self.lost.set()


def _break(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
