import HTTPTransport
import NIOCore

/// A connection that takes a request now.
enum UpstreamConnection {
    /// - Parameter isReused: it served before, so the server may be closing it at this moment.
    case http1(HTTP1ClientConnection, isReused: Bool)
    case http2(HTTP2ClientConnection)

    var isReused: Bool {
        guard case .http1(_, let isReused) = self else { return false }
        return isReused
    }

    func open(
        _ head: HTTPRequestHead, end: Bool, receiver: any HTTPClientStreamReceiver
    ) throws(HTTPStreamError) -> HTTPClientStream {
        switch self {
        case .http1(let connection, _):
            try connection.open(head, end: end, receiver: receiver)
        case .http2(let connection):
            try connection.open(head, end: end, receiver: receiver)
        }
    }
}

/// One connection loop's connections to one upstream: HTTP/1.1 ones that are kept between requests,
/// or the one HTTP/2 connection. Owned by the connection loop.
///
/// There are as many as requests at once, which the dispatcher bounds (slots, and a few ahead).
final class UpstreamConnections {
    /// Idle connections that are kept.
    static let idleLimit = 64
    /// How long an idle connection is used again: less than the five seconds after which Python's
    /// and llama.cpp's servers close theirs.
    static let idleTime = TimeAmount.seconds(4)

    private struct Idle {
        var connection: HTTP1ClientConnection
        var since: NIODeadline
    }

    private let eventLoop: any EventLoop
    private let address: UpstreamAddress
    private let connectTimeout: TimeAmount
    /// Latest last.
    private var idle: [Idle] = []
    private var shared: HTTP2ClientConnection?
    /// Who waits for `shared`; nil while nobody connects.
    private var waiting: [(Result<UpstreamConnection, HTTPStreamError>) -> Void]?
    private var isClosed = false

    init(eventLoop: any EventLoop, address: UpstreamAddress, connectTimeout: TimeAmount) {
        self.eventLoop = eventLoop
        self.address = address
        self.connectTimeout = connectTimeout
    }

    /// A connection for one request: calls back at once where there is one, else when there is.
    ///
    /// - Parameter isFresh: not one that served before.
    func connect(
        isFresh: Bool = false, tls: HTTPClientTLS?,
        _ completion: @escaping (Result<UpstreamConnection, HTTPStreamError>) -> Void
    ) {
        guard !isClosed else { return completion(.failure(.connectionClosed)) }
        if address.scheme == .h2c { return connectShared(completion) }
        let oldest = eventLoop.now - Self.idleTime
        while !isFresh, let last = idle.popLast() {
            if last.connection.isIdle, last.since > oldest {
                return completion(.success(.http1(last.connection, isReused: true)))
            }
            last.connection.close()
        }
        var configuration = HTTP1ClientConfiguration()
        configuration.connectTimeout = connectTimeout
        configuration.tls = tls
        HTTP1ClientConnection.connect(
            to: address.endpoint, on: eventLoop, configuration: configuration
        ).assumeIsolated().whenComplete { [weak self] result in
            switch result {
            case .failure(let error):
                completion(.failure(Self.streamError(error)))
            case .success(let connection):
                guard let self, !self.isClosed else {
                    connection.close()
                    return completion(.failure(.connectionClosed))
                }
                // Its handler lets go of this when the connection has closed.
                connection.onIdle = { [weak self] in
                    guard let self else { return connection.close() }
                    self.put(connection)
                }
                completion(.success(.http1(connection, isReused: false)))
            }
        }
    }

    /// A connection that nobody wants any more.
    func put(_ connection: HTTP1ClientConnection) {
        guard connection.isIdle else { return }
        guard !isClosed, idle.count < Self.idleLimit else { return connection.close() }
        idle.append(Idle(connection: connection, since: eventLoop.now))
    }

    /// Closes what has been idle for too long.
    func sweep() {
        let oldest = eventLoop.now - Self.idleTime
        let kept = idle.firstIndex { $0.since > oldest } ?? idle.count
        for entry in idle[..<kept] { entry.connection.close() }
        idle.removeFirst(kept)
    }

    /// Closes idle connections, and the others when their requests have ended.
    func close() {
        isClosed = true
        for entry in idle { entry.connection.close() }
        idle.removeAll()
        shared?.drain()
        shared = nil
    }

    private func connectShared(
        _ completion: @escaping (Result<UpstreamConnection, HTTPStreamError>) -> Void
    ) {
        if let shared, shared.isOpen { return completion(.success(.http2(shared))) }
        guard waiting == nil else {
            waiting?.append(completion)
            return
        }
        waiting = [completion]
        var configuration = HTTP2ClientConfiguration()
        configuration.connectTimeout = connectTimeout
        HTTP2ClientConnection.connect(
            to: address.endpoint, on: eventLoop, configuration: configuration
        ).assumeIsolated().whenComplete { [weak self] result in
            guard let self else {
                if case .success(let connection) = result { connection.close() }
                return
            }
            let waiting = self.waiting ?? []
            self.waiting = nil
            switch result {
            case .failure(let error):
                for completion in waiting { completion(.failure(Self.streamError(error))) }
            case .success(let connection):
                if self.isClosed { connection.drain() } else { self.shared = connection }
                for completion in waiting { completion(.success(.http2(connection))) }
            }
        }
    }

    private static func streamError(_ error: any Error) -> HTTPStreamError {
        error as? HTTPStreamError ?? .connectFailed("\(error)")
    }
}
