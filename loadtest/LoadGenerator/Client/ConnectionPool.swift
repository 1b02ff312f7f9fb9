import HTTPTransport
import NIOCore

/// The generator's connections to its servers. Owned by the run's event loop.
final class ConnectionPool {
    private struct Lane {
        /// HTTP/1.1 connections without a request, by target; the one used last is used next.
        var idle: [[LoadConnection]]
        /// HTTP/2 connections, taken in turn.
        var multiplexed: [LoadConnection] = []
        var turn = 0
        var connecting = 0
        /// Requests that wait for the first HTTP/2 connection.
        var waiting: [((any Error)?) -> Void] = []
    }

    private let configuration: LoadConfiguration
    private let tls: TLSClientContext?
    private let loop: any EventLoop
    private var lanes: [Lane]
    private(set) var opened = 0
    private var isClosed = false

    /// - Parameter tls: what is trusted; needed where a target is secure.
    init(_ configuration: LoadConfiguration, tls: TLSClientContext?, on loop: any EventLoop) {
        self.configuration = configuration
        self.tls = tls
        self.loop = loop
        let lane = Lane(idle: Array(repeating: [], count: configuration.targets.count))
        lanes = Array(repeating: lane, count: LoadConnection.Lane.allCases.count)
    }

    private var multiplexes: Bool { configuration.version != .h1 }

    /// HTTP/2 connections of a lane: at least one to each server.
    private func wanted(_ lane: LoadConnection.Lane) -> Int {
        let targets = configuration.targets.count
        return lane == .slow ? targets : max(configuration.connections, targets)
    }

    /// Opens what the run will need, so that connecting is not measured.
    func prepare(requests: Int, _ completion: @escaping ((any Error)?) -> Void) {
        let count = multiplexes ? wanted(.normal) : requests
        var missing = count
        var failure: (any Error)?
        for number in 0..<count {
            connect(.normal, target: number % configuration.targets.count) { result in
                switch result {
                case .success(let connection): self.keep(connection)
                case .failure(let error): failure = failure ?? error
                }
                missing -= 1
                if missing == 0 { completion(failure) }
            }
        }
    }

    /// Sends the request of `stream`, on a new connection where none is free. The stream learns of
    /// a failure as of any other; `reusing`: whether an idle connection may serve.
    func open(for stream: LoadStream, _ lane: LoadConnection.Lane, reusing: Bool = true) {
        if multiplexes {
            openHTTP2(for: stream, lane)
        } else {
            openHTTP1(for: stream, lane, reusing: reusing)
        }
    }

    /// Takes back an HTTP/1.1 connection whose request has ended.
    func release(_ connection: LoadConnection) {
        guard connection.isIdle else { return }
        if isClosed { connection.close() } else { keep(connection) }
    }

    private func keep(_ connection: LoadConnection) {
        let lane = connection.lane.rawValue
        switch connection.link {
        case .http1: lanes[lane].idle[connection.target].append(connection)
        case .http2: lanes[lane].multiplexed.append(connection)
        }
    }

    private func openHTTP1(
        for stream: LoadStream, _ lane: LoadConnection.Lane, reusing: Bool
    ) {
        lanes[lane.rawValue].turn += 1
        let target = lanes[lane.rawValue].turn % configuration.targets.count
        while reusing, let connection = lanes[lane.rawValue].idle[target].popLast() {
            if connection.isIdle { return stream.attach(connection) }
        }
        connect(lane, target: target) { result in
            switch result {
            case .success(let connection): stream.attach(connection)
            case .failure(let error):
                stream.closed(error as? HTTPStreamError ?? .connectionClosed)
            }
        }
    }

    /// Lost connections are replaced one by one as requests come; meanwhile the others serve.
    private func openHTTP2(for stream: LoadStream, _ kind: LoadConnection.Lane) {
        let lane = kind.rawValue
        lanes[lane].multiplexed.removeAll { !$0.isOpen }
        if lanes[lane].multiplexed.count + lanes[lane].connecting < wanted(kind) {
            lanes[lane].connecting += 1
            connect(kind, target: barestTarget(lanes[lane])) { result in
                self.lanes[lane].connecting -= 1
                var failure: (any Error)?
                switch result {
                case .success(let connection): self.keep(connection)
                case .failure(let error): failure = error
                }
                let waiting = self.lanes[lane].waiting
                self.lanes[lane].waiting = []
                for resume in waiting { resume(failure) }
            }
        }
        let attach = { (error: (any Error)?) in
            let connections = self.lanes[lane].multiplexed
            guard !connections.isEmpty else {
                return stream.closed(error as? HTTPStreamError ?? .connectionClosed)
            }
            self.lanes[lane].turn = (self.lanes[lane].turn + 1) % connections.count
            stream.attach(connections[self.lanes[lane].turn])
        }
        if lanes[lane].multiplexed.isEmpty {
            lanes[lane].waiting.append(attach)
        } else {
            attach(nil)
        }
    }

    /// The server with the fewest connections of the lane; of equals the first.
    private func barestTarget(_ lane: Lane) -> Int {
        var counts = Array(repeating: 0, count: configuration.targets.count)
        for connection in lane.multiplexed { counts[connection.target] += 1 }
        let least = counts.min() ?? 0
        return counts.firstIndex(of: least) ?? 0
    }

    func close() {
        isClosed = true
        for lane in lanes {
            for connection in lane.idle.joined() { connection.close() }
            for connection in lane.multiplexed { connection.close() }
        }
    }

    // MARK: Connecting

    private func connect(
        _ lane: LoadConnection.Lane, target: Int,
        _ completion: @escaping (Result<LoadConnection, any Error>) -> Void
    ) {
        opened += 1
        let server = configuration.targets[target]
        let tls = server.isSecure ? self.tls : nil
        let security = tls.map { HTTPClientTLS(context: $0, serverName: server.serverName) }
        if multiplexes {
            var settings = HTTP2ClientConfiguration(limits: limits(lane))
            settings.waitingStreams = configuration.inFlightMax
            settings.keepaliveInterval = nil
            HTTP2ClientConnection.connect(
                to: server.endpoint, on: loop, configuration: settings, tls: security
            ).assumeIsolated().whenComplete { result in
                completion(
                    result.map { LoadConnection(link: .http2($0), target: target, lane: lane) })
            }
        } else {
            var settings = HTTP1ClientConfiguration(limits: limits(lane))
            settings.tls = security
            HTTP1ClientConnection.connect(
                to: server.endpoint, on: loop, configuration: settings
            ).assumeIsolated().whenComplete { result in
                completion(
                    result.map { LoadConnection(link: .http1($0), target: target, lane: lane) })
            }
        }
    }

    /// A slow reader's window is small, so that the server feels that nobody reads.
    private func limits(_ lane: LoadConnection.Lane) -> HTTPLimits {
        var limits = HTTPLimits.trusted
        if lane == .slow {
            // A scenario's classes have the same.
            let windows = configuration.classes.lazy.compactMap { $0.slowReaders?.windowBytes }
            limits.streamWindowBytes = windows.first ?? limits.streamWindowBytes
        }
        return limits
    }
}
