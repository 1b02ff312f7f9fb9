import HTTPTransport
import NIOCore

/// The generator's connections to one server. Owned by its event loop.
final class ConnectionPool {
    private let configuration: LoadConfiguration
    private let loop: any EventLoop
    /// HTTP/1.1 connections without a request; the one used last is used next.
    private var idle: [HTTP1ClientConnection] = []
    /// HTTP/2 connections, taken in turn.
    private var multiplexed: [HTTP2ClientConnection] = []
    private var turn = 0
    private var connecting = 0
    /// Requests that wait for the first HTTP/2 connection.
    private var waiting: [((any Error)?) -> Void] = []
    private(set) var opened = 0

    init(_ configuration: LoadConfiguration, on loop: any EventLoop) {
        self.configuration = configuration
        self.loop = loop
    }

    /// Opens what the run will need, so that connecting is not measured.
    func prepare(requests: Int, _ completion: @escaping ((any Error)?) -> Void) {
        let wanted =
            switch configuration.version {
            case .h1: requests
            case .h2: configuration.connections
            }
        var missing = wanted
        var failure: (any Error)?
        for _ in 0..<wanted {
            connect { error in
                failure = failure ?? error
                missing -= 1
                if missing == 0 { completion(failure) }
            }
        }
    }

    /// Sends `head` and `body` for `stream`, on a new connection where none is free. The stream
    /// learns of a failure as of any other; `reusing`: whether an idle connection may serve.
    func open(
        _ head: HTTPRequestHead, _ body: ByteBuffer?, for stream: LoadStream, reusing: Bool = true
    ) {
        switch configuration.version {
        case .h1: openHTTP1(head, body, for: stream, reusing: reusing)
        case .h2: openHTTP2(head, body, for: stream)
        }
    }

    private func openHTTP1(
        _ head: HTTPRequestHead, _ body: ByteBuffer?, for stream: LoadStream, reusing: Bool
    ) {
        while reusing, let connection = idle.popLast() {
            if connection.isIdle { return stream.attach(.http1(connection), head, body) }
        }
        connect { error in
            if let connection = self.idle.popLast() {
                stream.attach(.http1(connection), head, body)
            } else {
                stream.closed(error as? HTTPStreamError ?? .connectionClosed)
            }
        }
    }

    /// Lost connections are replaced one by one as requests come; meanwhile the others serve.
    private func openHTTP2(_ head: HTTPRequestHead, _ body: ByteBuffer?, for stream: LoadStream) {
        multiplexed.removeAll { !$0.isOpen }
        if multiplexed.count + connecting < configuration.connections {
            connect { error in
                let waiting = self.waiting
                self.waiting = []
                for resume in waiting { resume(error) }
            }
        }
        let attach = { (error: (any Error)?) in
            guard !self.multiplexed.isEmpty else {
                return stream.closed(error as? HTTPStreamError ?? .connectionClosed)
            }
            self.turn = (self.turn + 1) % self.multiplexed.count
            stream.attach(.http2(self.multiplexed[self.turn], nil), head, body)
        }
        if multiplexed.isEmpty { waiting.append(attach) } else { attach(nil) }
    }

    func close() {
        for connection in idle { connection.close() }
        for connection in multiplexed { connection.close() }
        idle = []
        multiplexed = []
    }

    private func connect(_ completion: @escaping ((any Error)?) -> Void) {
        opened += 1
        connecting += 1
        switch configuration.version {
        case .h1:
            HTTP1ClientConnection.connect(to: configuration.target.endpoint, on: loop)
                .assumeIsolated().whenComplete { result in
                    self.connecting -= 1
                    if case .success(let connection) = result {
                        connection.onIdle = { [weak self] in self?.idle.append($0) }
                        self.idle.append(connection)
                    }
                    completion(result.failure)
                }
        case .h2:
            var settings = HTTP2ClientConfiguration()
            settings.waitingStreams = configuration.inFlightMax
            settings.keepaliveInterval = nil
            HTTP2ClientConnection.connect(
                to: configuration.target.endpoint, on: loop, configuration: settings
            ).assumeIsolated().whenComplete { result in
                self.connecting -= 1
                if case .success(let connection) = result { self.multiplexed.append(connection) }
                completion(result.failure)
            }
        }
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
