"""A server that answers chat requests with given bytes, for what no real one does on demand."""

import json
import socket
import threading

HEAD = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        b"transfer-encoding: chunked\r\n\r\n")


def events(*texts, end=True):
    """A chunked event stream; without its end it is cut off."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(text), text) for text in texts)
    return HEAD + body + (b"0\r\n\r\n" if end else b"")


def chunk(content=None, finish=None, role=None, **fields):
    delta = {key: value for key, value in (("role", role), ("content", content))
             if value is not None}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({
        "id": "theirs", "object": "chat.completion.chunk", "created": 1, "model": "theirs",
        "choices": [choice], **fields}).encode() + b"\n\n"


def answer(status, body=b"{}", type=b"application/json", fields=b""):
    return (b"HTTP/1.1 %d X\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s\r\n%s"
            % (status, type, len(body), fields, body))


ROLE, DONE = chunk(role="assistant", content=""), b"data: [DONE]\n\n"
GOOD = events(ROLE, chunk("Hi"), chunk(finish="stop"), DONE)


class ScriptedServer:
    """`script` has the answer to each chat request in turn; None closes the connection instead.
    What comes after its end is `GOOD`."""

    def __init__(self, script):
        self.script = list(script)
        self.requests = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as file:
            while line := file.readline():
                method, path, _ = line.split()
                length = 0
                while (field := file.readline().strip()):
                    name, value = field.split(b":", 1)
                    if name.lower() == b"content-length":
                        length = int(value)
                body = file.read(length)
                reply = self.reply(method, path, body)
                if reply is None:
                    return
                connection.sendall(reply)
                if not reply.endswith(b"\r\n\r\n") and b"content-length" not in reply:
                    return

    def reply(self, method, path, body):
        if path == b"/health":
            return answer(200)
        if path == b"/v1/models":
            return answer(200, b'{"data":[{"id":"theirs"}]}')
        if method != b"POST":
            return answer(404)
        with self.lock:
            self.requests.append(json.loads(body))
            return self.script.pop(0) if self.script else GOOD

    def close(self):
        self.listener.close()
