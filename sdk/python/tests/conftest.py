"""A control socket that answers as a test says, and keeps what it was asked."""
import json
import os
import socket
import sys
import threading

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Job:
    """`answers`: what `do` gets, a result, an Exception for a refusal (kind, text), or a function of the request."""

    def __init__(self, path):
        self.asked, self.answers = [], {}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def refuse(self, do, kind, error):
        self.answers[do] = {"ok": False, "kind": kind, "error": error}

    def answer(self, do, result):
        self.answers[do] = (lambda request: {"ok": True, "result": result(request)}) if callable(result) else {"ok": True, "result": result}

    def of(self, do):
        return [request for request in self.asked if request["do"] == do]

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with connection:
            size = int.from_bytes(connection.recv(4), "little")
            text = b""
            while len(text) < size:
                text += connection.recv(size - len(text))
            request = json.loads(text)
            self.asked.append(request)
            answer = self.answers.get(request["do"], {"ok": True, "result": {}})
            answer = answer(request) if callable(answer) else answer
            if isinstance(answer, bytes):
                return connection.sendall(answer)
            reply = json.dumps(answer).encode()
            connection.sendall(len(reply).to_bytes(4, "little") + reply)


@pytest.fixture
def job(tmp_path, monkeypatch):
    path = str(tmp_path / "s")
    made = Job(path)
    monkeypatch.setenv("SLIPWAY_SOCKET", path)
    yield made
    made.listener.close()
