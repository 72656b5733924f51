"""A real HTTP server on 127.0.0.1 that misbehaves as told, one scripted answer after the other."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

ETAG = '"first"'


class Handler(BaseHTTPRequestHandler):
    """Gives the next scripted answer; writes down what was asked."""

    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def do_GET(self) -> None:
        """Answer."""
        self.close_connection = True
        self.server.asked.append((self.path, dict(self.headers.items())))
        self.server.next_answer(self.path)(self)

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers."""
        self.send_response(status)
        for key, value in ({"Connection": "close"} | dict(headers)).items():
            self.send_header(key, value)
        self.end_headers()

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.begin(status, {"Content-Length": str(len(body))} | dict(headers or {}))
        self.wfile.write(body)


Answer = "Callable[[Handler], None]"


class FaultyServer(ThreadingHTTPServer):
    """Serves from ``script``: answers in turn, the last one for ever; ``routes`` answer a path alone."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.script: list[Any] = []
        self.routes: dict[str, Any] = {}
        self.stopping = threading.Event()
        self.scheme = "http"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_arguments: Any) -> None:
        """Stay silent: a client that hangs up is what these tests are about."""

    def url(self, path: str = "/file") -> str:
        """Return the address of a path."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def next_answer(self, path: str) -> Any:
        """Return what to do for the request of ``path``."""
        if path in self.routes:
            return self.routes[path]
        if not self.script:
            return status(404)
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


def whole(body: bytes, etag: str = ETAG, **headers: str) -> Any:
    """Serve well: Range and If-Range are understood."""

    def answer(handler: Handler) -> None:
        asked = handler.headers.get("Range", "")
        same = handler.headers.get("If-Range", etag) == etag
        about = {"ETag": etag, "Accept-Ranges": "bytes"} | headers
        if not asked or not same:
            handler.send(200, body, about)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        about["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.send(206, body[start:], about)

    return answer


def cut(body: bytes, count: int, etag: str = ETAG) -> Any:
    """Promise the whole, or the rest that was asked for, and hang up after ``count`` bytes."""

    def answer(handler: Handler) -> None:
        asked = handler.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        headers = {"Content-Length": str(len(body) - start), "ETag": etag}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.begin(206 if asked else 200, headers)
        handler.wfile.write(body[start : start + count])

    return answer


def status(code: int, **headers: str) -> Any:
    """Answer with nothing but a status."""
    return lambda handler: handler.send(code, b"no", headers)


def plain(body: bytes, code: int = 200, **headers: str) -> Any:
    """Send a body whatever was asked: Range is ignored."""
    return lambda handler: handler.send(code, body, headers)


def claiming(body: bytes, length: int) -> Any:
    """Announce another length than is sent."""

    def answer(handler: Handler) -> None:
        handler.begin(200, {"Content-Length": str(length)})
        handler.wfile.write(body)

    return answer


def partial(body: bytes, content_range: str, etag: str = ETAG) -> Any:
    """Send a 206 with a Content-Range of one's own."""
    return lambda handler: handler.send(206, body, {"Content-Range": content_range, "ETag": etag})


def redirect(location: str, code: int = 302) -> Any:
    """Send away."""
    return lambda handler: handler.send(code, b"", {"Location": location})


def endless(chunk: bytes = b"x" * 4096) -> Any:
    """Send without announcing a length, and never stop."""

    def answer(handler: Handler) -> None:
        handler.begin(200, {})
        while not handler.server.stopping.is_set():
            handler.wfile.write(chunk)

    return answer


def drip(body: bytes, pause_seconds: float = 0.02) -> Any:
    """Send the right bytes, one at a time."""

    def answer(handler: Handler) -> None:
        handler.begin(200, {"Content-Length": str(len(body))})
        for at in range(len(body)):
            if handler.server.stopping.wait(pause_seconds):
                return
            handler.wfile.write(body[at : at + 1])

    return answer


def silence(body: bytes, after: int) -> Any:
    """Send some bytes, then say nothing, connection open; ``after`` below 0 withholds even the status."""

    def answer(handler: Handler) -> None:
        if after >= 0:
            handler.begin(200, {"Content-Length": str(len(body)), "ETag": ETAG})
            handler.wfile.write(body[:after])
        handler.server.stopping.wait(30)

    return answer


def slowly(body: bytes, seconds: float) -> Any:
    """Send the right bytes in two halves with a pause between them."""

    def answer(handler: Handler) -> None:
        handler.begin(200, {"Content-Length": str(len(body)), "ETag": ETAG})
        handler.wfile.write(body[: len(body) // 2])
        handler.server.stopping.wait(seconds)
        handler.wfile.write(body[len(body) // 2 :])

    return answer
