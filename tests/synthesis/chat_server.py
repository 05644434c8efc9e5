"""An endpoint on the loopback in the form of OpenAI's chat completions, with faults to order."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread

KEY = "a-key-that-is-right"


class Endpoint:
    """What was asked, what is answered, and the faults that the next calls meet, in their order."""

    def __init__(self, reply: Callable[[dict], str]):
        self.reply = reply
        self.asked: list[dict] = []  # bodies, in the order in which they came
        self.times: list[float] = []
        self.faults: list[tuple] = []  # (status, body, headers), or ("malformed" | "page" | "truncated" | "stall",)
        self.delay = 0.0
        self.finish, self.usage = "stop", True
        self.inside = self.most = 0  # calls that are being answered now, and at most
        self.lock, self.closing = Lock(), Event()
        self.base_url = ""


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: Endpoint

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""

    def _send(self, status: int, content: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _error(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
        self._send(status, json.dumps(body).encode(), **headers)

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        end = self.endpoint
        with end.lock:
            end.asked.append(body)
            end.times.append(time.monotonic())
            end.inside += 1
            end.most = max(end.most, end.inside)
            fault = end.faults.pop(0) if end.faults else None
        try:
            self._answer(body, fault)
        finally:
            with end.lock:
                end.inside -= 1

    def _answer(self, body: dict, fault: tuple | None) -> None:
        end = self.endpoint
        if end.delay:
            time.sleep(end.delay)
        if self.headers["Authorization"] not in (f"Bearer {KEY}", "Bearer none"):
            return self._error(401, "Incorrect API key provided.", "invalid_api_key")
        if self.path != "/v1/chat/completions" or body["model"] != "writer-1":
            return self._error(404, f"The model {body['model']} does not exist", "model_not_found")
        if fault and fault[0] == "malformed":
            return self._send(200, b'{"id": "chatcmpl-1", "choices": [{"index')
        if fault and fault[0] == "page":
            return self._send(200, b"<html>Please log in</html>", "text/html")
        if fault and fault[0] == "stall":
            end.closing.wait(30)
            self.close_connection = True
            return None
        if fault and fault[0] != "truncated":
            status, message, headers = fault
            return self._error(status, message, "content_filter" if status == 400 else None, **headers)
        text = end.reply(body)
        usage = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16} if end.usage else None
        message = {"role": "assistant", "content": text}
        found = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": end.finish}],
            "usage": usage,
        }
        content = json.dumps(found).encode()
        if not fault:
            return self._send(200, content)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.close_connection = True
        return None


@contextmanager
def serving(reply: Callable[[dict], str]) -> Iterator[Endpoint]:
    """An endpoint that answers at ``base_url``: ``reply`` makes the text of an answer from the body of a call."""
    end = Endpoint(reply)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"endpoint": end}))
    server.daemon_threads = True
    end.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield end
    finally:
        end.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
