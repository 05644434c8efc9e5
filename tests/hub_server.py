"""A hub on the loopback: listings, files, redirects and refusals in the layout of huggingface.co, with faults to order."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".parquet", ".zst", ".bin", ".pt")  # what the hub keeps in LFS, whatever its size


class Hub:
    """Repositories by ``models/org/name`` or ``datasets/org/name``, what was asked of them, and faults."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.asked: list[tuple[str, str, str, bool]] = []  # method, path, Range, whether a token came along
        self.cut: dict[str, list[int]] = {}  # file -> after how many bytes the next answers break off
        self.stall: dict[str, int] = {}  # file -> after how many bytes an answer goes on no more
        self.closing = Event()
        self.instead: dict[str, bytes] = {}  # file -> what is sent in its place
        self.gated: set[str] = set()
        self.revision = REVISION  # the only commit of every repository
        self.url = self.elsewhere = ""

    def ranges(self, name: str) -> list[str]:
        """The Range header of each download of a file, empty where all of it was asked for."""
        return [given for method, path, given, _ in self.asked if method == "GET" and path.endswith(f"cdn/{name}")]

    def downloaded(self) -> set[str]:
        """The names of the files whose content was asked for."""
        return {path.split("cdn/")[-1] for method, path, _, _ in self.asked if method == "GET" and "/cdn/" in path}


def etag_of(name: str, content: bytes) -> str:
    """The name of a file's content: sha256 where it is in LFS, git's hash of a blob where not."""
    if name.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer()

    def do_GET(self) -> None:  # noqa: N802
        self._answer()

    def _send(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        token = "Authorization" in self.headers
        self.hub.asked.append((self.command, path, self.headers.get("Range", ""), token))
        if "/tree/" in path:
            kind, org, name, _, revision = path.removeprefix("api/").split("/")
            return self._listing(f"{kind}/{org}/{name}", revision, token)
        kind = "datasets" if path.startswith("datasets/") else "models"
        repo, _, rest = path.removeprefix("datasets/").partition("/cdn/" if "/cdn/" in path else "/resolve/")
        repo = f"{kind}/{repo}"
        if not rest:
            return self._send(404)
        if "/cdn/" in path:
            return self._content(rest, self.hub.repos[repo][rest])
        revision, _, name = rest.partition("/")
        if self._refused(repo, revision, token):
            return None
        if name not in self.hub.repos[repo]:
            return self._send(404, X_Error_Code="EntryNotFound", X_Repo_Commit=self.hub.revision)
        content, prefix = self.hub.repos[repo][name], "datasets/" if kind == "datasets" else ""
        about = {"X_Repo_Commit": self.hub.revision, "Accept_Ranges": "bytes", "ETag": f'"{etag_of(name, content)}"'}
        if name.endswith(LARGE):
            about |= {"X_Linked_Size": str(len(content)), "X_Linked_Etag": f'"{etag_of(name, content)}"'}
            place = f"{self.hub.elsewhere}/{prefix}{repo.partition('/')[2]}/cdn/{name}"
            return self._send(302, Location=place, **about)
        if self.command == "HEAD":
            return self._send(200, content, **about)
        self.hub.asked.append(("GET", f"/cdn/{name}", self.headers.get("Range", ""), token))
        return self._content(name, content, **about)

    def _refused(self, repo: str, revision: str, token: bool) -> bool:
        if repo not in self.hub.repos:
            self._send(404 if token else 401, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
        elif repo in self.hub.gated:
            code = 403 if token else 401
            self._send(code, X_Error_Code="GatedRepo", X_Error_Message="Access to this repository is restricted.")
        elif revision != self.hub.revision:
            self._send(404, X_Error_Code="RevisionNotFound", X_Error_Message="Invalid rev id")
        else:
            return False
        return True

    def _listing(self, repo: str, revision: str, token: bool) -> None:
        if self._refused(repo, revision, token):
            return
        entries = []
        for name, content in self.hub.repos[repo].items():
            lfs = {"oid": etag_of(name, content), "size": len(content), "pointerSize": 130}
            large = {"lfs": lfs} if name.endswith(LARGE) else {}
            oid = hashlib.sha1(name.encode()).hexdigest() if large else etag_of(name, content)
            entries.append({"type": "file", "path": name, "size": len(content), "oid": oid, **large})
        self._send(200, json.dumps(entries).encode(), Content_Type="application/json")

    def _content(self, name: str, content: bytes, **about: str) -> None:
        content = self.hub.instead.get(name, content)
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        if start and start >= len(content):
            return self._send(416, Content_Range=f"bytes */{len(content)}")
        rest = content[start:]
        if "Range" in self.headers:
            about["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if stops := self.hub.cut.get(name, [self.hub.stall.pop(name)] if name in self.hub.stall else []):
            stalls = name not in self.hub.cut
            self.send_response(206 if start else 200)
            for key, value in {**about, "Content-Length": str(len(rest))}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(rest[: stops.pop(0)])
            self.wfile.flush()
            if stalls:
                self.hub.closing.wait(60)
            self.close_connection = True
            return None
        return self._send(206 if "Range" in self.headers else 200, rest, **about)


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers at ``url``; large files lie at ``elsewhere``, another name of the same machine."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"hub": hub}))
    server.daemon_threads = True
    hub.url, hub.elsewhere = (f"http://{host}:{server.server_address[1]}" for host in ("127.0.0.1", "localhost"))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
