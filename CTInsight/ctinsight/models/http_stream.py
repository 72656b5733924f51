"""One HTTP answer, read by a thread of its own: whoever waits for it can stop at any moment.

Nothing that a server does can hold the caller for longer than a heartbeat: not a slow name server, not
headers that drip, not a body that stalls. Redirects are followed by hand, so that none leads to another
scheme.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from ctinsight.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ctinsight.models.meter import Meter

_READ_BYTES = 2**16
_REDIRECTS = {301, 302, 303, 307, 308}
#: Statuses that may pass: request timeout, too early, too many requests, and the server's own troubles.
_PASSING = {408, 425, 429, 500, 502, 503, 504}

_BREAKS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    HTTPException,
    OSError,
    ValueError,
)


@dataclass(frozen=True)
class Limits:
    """How patient to be.

    Parameters
    ----------
    connect_seconds
        For name, connection and TLS handshake of one attempt.
    stall_seconds
        Without a single byte.
    slow_bytes_per_second, slow_window_seconds
        A mean speed below the first over the second counts as a stall: a server can drip for ever.
    attempts
        For each address; an attempt that brought ``worthwhile_bytes`` is not counted.
    first_pause_seconds, longest_pause_seconds
        The pause before trying again doubles from the first to the longest.
    """

    connect_seconds: float = 15.0
    stall_seconds: float = 30.0
    slow_bytes_per_second: float = 256.0
    slow_window_seconds: float = 60.0
    attempts: int = 6
    worthwhile_bytes: int = 2**20
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0
    redirects: int = 8
    heartbeat_seconds: float = 0.2


class TransferFault(Exception):  # noqa: N818 - a finding on the way, not an error for the user
    """An attempt came to nothing.

    Parameters
    ----------
    passing
        Trying the same address again may help.
    unreached
        No connection could be opened at all: who never had one is not kept waiting.
    """

    def __init__(
        self,
        *,
        why: str,
        passing: bool,
        status: int = 0,
        wait_seconds: float = 0.0,
        unreached: bool = False,
    ) -> None:
        super().__init__(why)
        self.why, self.passing, self.status, self.wait_seconds = why, passing, status, wait_seconds
        self.unreached = unreached


@dataclass(frozen=True)
class Request:
    """What to ask for. ``credentials`` may sign requests to the first address's host, never to another."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None = None


@dataclass(frozen=True)
class Head:
    """Status and headers of the final answer."""

    status: int
    headers: Mapping[str, str]
    url: str


class _SystemTrust(HTTPAdapter):
    """Trust the certificates of the operating system beside those that requests brings.

    A hospital's proxy that opens TLS is known to the system, not to Python.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=ssl.create_default_context())

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=ssl.create_default_context())


def open_session() -> requests.Session:
    """Return a session with the system's proxies: HTTPS_PROXY, NO_PROXY, registry."""
    session = requests.Session()
    session.headers.update({"User-Agent": f"CTInsight/{VERSION}", "Accept-Encoding": "identity"})
    return session


class Stream:
    """One answer; read :meth:`head`, then :meth:`chunks`, then :meth:`close` it."""

    def __init__(self, request: Request, limits: Limits, meter: Meter) -> None:
        self._request, self._limits, self._meter = request, limits, meter
        self._items: queue.Queue[Head | bytes | TransferFault | None] = queue.Queue(maxsize=64)
        self._stop = threading.Event()
        threading.Thread(target=self._read, name="ctinsight-download", daemon=True).start()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the reading thread go; it closes the connection with the next byte or at its timeout."""
        self._stop.set()

    def head(self) -> Head:
        """Wait for status and headers.

        Raises
        ------
        TransferFault
            No answer in time, a refused redirect, a status other than 200, 206 or 416.
        """
        item = self._next(self._limits.connect_seconds + self._limits.stall_seconds)
        if not isinstance(item, Head):
            raise TransferFault(why="the server closed the connection", passing=True)
        return item

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes.

        Raises
        ------
        TransferFault
            A break, a stall, or a drip slower than the limits.
        """
        began, got = time.monotonic(), 0
        while True:
            item = self._next(self._limits.stall_seconds)
            if not isinstance(item, bytes):
                return
            got += len(item)
            yield item
            span = time.monotonic() - began
            if span >= self._limits.slow_window_seconds:
                if got < self._limits.slow_bytes_per_second * span:
                    raise TransferFault(why=f"it dripped: {got} bytes in {span:.0f} s", passing=True)
                began, got = time.monotonic(), 0

    def _next(self, patience_seconds: float) -> Head | bytes | None:
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                item = self._items.get(timeout=self._limits.heartbeat_seconds)
            except queue.Empty:
                self._meter.beat()
                if time.monotonic() > deadline:
                    raise TransferFault(why=f"silence for {patience_seconds:.0f} s", passing=True) from None
                continue
            if isinstance(item, TransferFault):
                raise item
            return item

    def _read(self) -> None:
        """Run in the thread: put the head, the chunks, then None or the fault."""
        try:
            with open_session() as session, self._follow(session) as answer:
                self._put(Head(answer.status_code, answer.headers, answer.url))
                read = getattr(answer.raw, "read1", answer.raw.read)
                while not self._stop.is_set():
                    chunk = read(_READ_BYTES, decode_content=False)
                    self._put(chunk or None)
                    if not chunk:
                        return
        except TransferFault as fault:
            self._put(fault)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            HTTPException,
            OSError,
            ValueError,
        ) as error:
            self._put(_fault(error))

    def _put(self, item: Head | bytes | TransferFault | None) -> None:
        while not self._stop.is_set():
            try:
                self._items.put(item, timeout=self._limits.heartbeat_seconds)
            except queue.Full:
                continue
            return

    def _follow(self, session: requests.Session) -> requests.Response:
        url = self._request.url
        for _hop in range(self._limits.redirects + 1):
            answer = self._ask(session, url)
            if answer.status_code not in _REDIRECTS:
                _refuse_status(answer)
                return answer
            location = answer.headers.get("Location", "")
            answer.close()
            url = _redirected(url, location)
        raise TransferFault(why=f"more than {self._limits.redirects} redirects", passing=False)

    def _ask(self, session: requests.Session, url: str) -> requests.Response:
        if url.startswith("https:"):  # reading the system's certificates takes a while: only where needed
            session.mount("https://", _SystemTrust())
        same = _origin(url) == _origin(self._request.url)
        return session.get(
            url,
            headers=dict(self._request.headers),
            auth=self._request.credentials if same else None,
            timeout=(self._limits.connect_seconds, self._limits.stall_seconds),
            allow_redirects=False,
            stream=True,
        )


def fetch_small(request: Request, meter: Meter, limits: Limits, *, most_bytes: int = 2**23) -> bytes:
    """Return the body of a short answer, trying again when that may help.

    Raises
    ------
    TransferFault
        No such answer, or one that is longer than ``most_bytes``.
    """
    pause = limits.first_pause_seconds
    for attempt in range(1, limits.attempts + 1):
        body = bytearray()
        try:
            with Stream(request, limits, meter) as stream:
                stream.head()
                for chunk in stream.chunks():
                    body += chunk
                    if len(body) > most_bytes:
                        raise TransferFault(why=f"it sent more than {most_bytes} bytes", passing=False)
        except TransferFault as fault:
            if not fault.passing or fault.unreached or attempt == limits.attempts:
                raise
            pause_with(meter, min(max(pause, fault.wait_seconds), limits.longest_pause_seconds), limits)
            pause *= 2
        else:
            return bytes(body)
    raise TransferFault(why="no attempt was allowed", passing=False)


def pause_with(meter: Meter, seconds: float, limits: Limits) -> None:
    """Wait, but let the meter's listener stop it."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, limits.heartbeat_seconds))
        meter.beat()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    before, after = urlsplit(url).scheme, urlsplit(target).scheme
    if not location or after not in {"http", "https"} or not urlsplit(target).hostname:
        raise TransferFault(why=f"a redirect to {after or 'nowhere'}: is refused", passing=False)
    if before == "https" and after == "http":
        raise TransferFault(why="a redirect from https to http is refused", passing=False)
    return target


def _refuse_status(answer: requests.Response) -> None:
    if answer.status_code in {200, 206, 416}:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            answer.close()
            raise TransferFault(why="a proxy or server changed the coding of the file", passing=False)
        return
    status, wait = answer.status_code, _retry_after(answer)
    answer.close()
    raise TransferFault(
        why=f"HTTP status {status}", passing=status in _PASSING, status=status, wait_seconds=wait
    )


def _retry_after(answer: requests.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0


def _fault(error: Exception) -> TransferFault:
    if isinstance(error, requests.exceptions.SSLError):
        hint = (
            "the server's certificate is not trusted (behind a proxy that opens TLS, set REQUESTS_CA_BUNDLE)"
        )
        return TransferFault(why=hint, passing=False)
    if isinstance(error, requests.exceptions.ProxyError):
        return TransferFault(why="the proxy did not answer (see HTTPS_PROXY and NO_PROXY)", passing=True)
    if isinstance(error, (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        return TransferFault(why="silence for too long", passing=True)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return TransferFault(why="no connection in time", passing=True)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
        return TransferFault(why="no valid address", passing=False)
    if isinstance(_reason(error), urllib3.exceptions.NewConnectionError):
        why = "no connection to it (is there a network? A proxy's address goes into HTTPS_PROXY)"
        return TransferFault(why=why, passing=True, unreached=True)
    # The text of such an error may hold the address with its query: the class alone is told.
    return TransferFault(why=f"the connection broke ({type(error).__name__})", passing=True)


def _reason(error: Exception) -> object:
    """Return what urllib3 says lies behind an error of requests."""
    return getattr(error.args[0], "reason", None) if error.args else None
