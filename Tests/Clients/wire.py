"""Bytes as they are: HTTP/2 by hand, for what clients' libraries hide or would not send."""

import socket
import struct
import time

import h2.config
import h2.connection
import h2.events

LIMIT = 60


class Exchange:
    """One request's answer. `heads`: every block of fields, with whether it ended the stream."""

    def __init__(self):
        self.heads, self.data, self.reset, self.ended = [], b"", None, False

    @property
    def is_over(self):
        return self.ended or self.reset is not None

    @property
    def is_trailers_only(self):
        return len(self.heads) == 1 and self.heads[0][1] and not self.data

    @property
    def fields(self):
        return self.heads[0][0]

    @property
    def trailers(self):
        """The last block: of a gRPC answer the one with its status."""
        return self.heads[-1][0]

    def messages(self):
        """The gRPC messages in the body."""
        data, found = self.data, []
        while data:
            compressed, size = struct.unpack(">BI", data[:5])
            assert compressed == 0 and len(data) >= 5 + size
            found.append(data[5:5 + size])
            data = data[5 + size:]
        return found


class HTTP2:
    """A connection without TLS. Fields go out as they are given."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT)
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        self.exchanges, self.pongs, self.goaway = {}, 0, None
        self.state.initiate_connection()
        self.state.update_settings({0x4: 1 << 20})
        self.flush()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def flush(self):
        self.socket.sendall(self.state.data_to_send())

    def send(self, path, body=b"", method="POST", fields=(), end=True):
        """Starts a request; the exchange fills as `read` goes on."""
        stream = self.state.get_next_available_stream_id()
        self.state.send_headers(stream, [
            (":method", method), (":scheme", "http"), (":authority", "127.0.0.1"),
            (":path", path), *fields], end_stream=end and not body)
        while body:
            size = min(len(body), self.state.max_outbound_frame_size,
                       self.state.local_flow_control_window(stream))
            if size == 0:
                self.flush()
                self.receive()
                continue
            part, body = body[:size], body[size:]
            self.state.send_data(stream, part, end_stream=end and not body)
        self.flush()
        self.exchanges[stream] = Exchange()
        return stream

    def request(self, path, body=b"", **keywords):
        stream = self.send(path, body, **keywords)
        return self.read(lambda: self.exchanges[stream].is_over, self.exchanges[stream])

    def grpc(self, path, message, fields=(), prefix=None, **keywords):
        """A call with one message, framed; `prefix` instead of the right one."""
        prefix = struct.pack(">BI", 0, len(message)) if prefix is None else prefix
        return self.request(path, prefix + message, fields=[
            ("content-type", "application/grpc"), ("te", "trailers"), *fields], **keywords)

    def ping(self, number):
        self.state.ping(struct.pack(">Q", number))
        self.flush()

    def read(self, condition, result=None):
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end and self.goaway is None, self.goaway
            self.receive()
        return result

    def receive(self):
        data = self.socket.recv(65_536)
        assert data, "the connection was closed"
        for event in self.state.receive_data(data):
            exchange = self.exchanges.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.PingAckReceived):
                self.pongs += 1
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.goaway = event.error_code
            elif exchange is None:
                continue
            elif isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                exchange.heads.append((dict(event.headers), event.stream_ended is not None))
            elif isinstance(event, h2.events.DataReceived):
                exchange.data += event.data
                self.state.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                exchange.ended = True
            elif isinstance(event, h2.events.StreamReset):
                exchange.reset = event.error_code
        self.flush()


class HTTP1:
    """One request on a plain socket, read byte by byte as it comes."""

    def __init__(self, server, path, body, fields=()):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT)
        head = [f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json",
                f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in fields)]
        self.socket.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        self.received = b""

    def read_until(self, part, count=1):
        """What came, up to and with the `count`-th `part`."""
        end = time.monotonic() + LIMIT
        while self.received.count(part) < count:
            assert time.monotonic() < end, self.received[-200:]
            data = self.socket.recv(65_536)
            assert data, f"closed after {self.received[-200:]!r}"
            self.received += data
        return self.received

    def close(self):
        self.socket.close()
