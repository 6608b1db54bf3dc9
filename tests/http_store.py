"""A flaky HTTP store on loopback: serves a folder, and breaks the next transfers as told. A test tool."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FAULTS = ("503", "500", "reset", "cut", "flip", "no ranges and cut", "short")
"""reset and cut: the connection ends amid the body; short: fewer bytes, and a length that says so; flip: a bit."""


class Store(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.faults: deque[str] = deque()
        """What befalls the next requests for shards; then all is well."""
        self.log: list[tuple[str, int]] = []
        """Shard and first byte of every request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            return self._send(404, b"")
        body, begin = path.read_bytes(), 0
        if path.suffix != ".tar":
            return self._send(200, body)
        fault = self.server.faults.popleft() if self.server.faults else ""
        if (asked := self.headers.get("Range")) and "no ranges" not in fault:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        self.server.log.append((path.name, begin))
        if fault in ("503", "500"):
            return self._send(int(fault), b"busy")
        rest = body[begin:]
        if fault == "flip":
            rest = bytes([rest[0] ^ 1]) + rest[1:]
        if fault == "short":
            rest = rest[: len(rest) // 2]
        whole = fault not in ("reset", "cut", "no ranges and cut")
        self._send(206 if begin else 200, rest if whole else rest[: 2 * len(rest) // 3], len(rest))
        if not whole:
            self.close_connection = True
            self.connection.shutdown(2 if fault == "reset" else 1)

    def _send(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[Store]:
    with Store(folder) as store:
        thread = threading.Thread(target=store.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()
