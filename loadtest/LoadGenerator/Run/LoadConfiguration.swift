package import HTTPTransport

/// One run of the load generator.
package struct LoadConfiguration: Sendable {
    package enum HTTPVersion: String, Sendable, CaseIterable {
        /// HTTP/1.1: one connection for each concurrent request, kept alive.
        case h1
        /// HTTP/2, by prior knowledge or ALPN: all requests over `connections` connections.
        case h2
        /// xAI's `Chat/GetCompletionChunk` over such connections.
        case grpc
    }

    package enum Work: Sendable {
        /// Streamed chat completions.
        case chat
        /// Plain GET requests for small answers.
        case small
    }

    package enum Load: Sendable {
        /// So many requests (or conversations) at once: the next begins when one has ended.
        case closed(concurrency: Int)
        /// Arrivals by schedule, answers or not; latencies count from the intended start.
        case open(ArrivalSchedule)
    }

    /// When the measurement ends; streams that still run at the end of a duration are cut off, and
    /// what they delivered counts as output, but not as a request.
    package enum Extent: Sendable, Equatable {
        /// A conversation counts once.
        case requests(Int)
        case seconds(Double)
    }

    /// Whom `https` targets must be.
    package enum Trust: Sendable, Equatable {
        /// What the system trusts.
        case system
        /// PEM certificates in this file.
        case authority(path: String)
        /// Anybody: nothing is checked.
        case anybody
    }

    /// Long prompts thrown in among the running streams.
    package struct Probe: Sendable, Equatable {
        package var promptTokens: Int
        /// From the measurement's start, and from a probe's first token to the next probe.
        package var afterSeconds: Double
        package var count: Int
        package var maxTokens = 8

        package init(promptTokens: Int, afterSeconds: Double, count: Int) {
            self.promptTokens = promptTokens
            self.afterSeconds = afterSeconds
            self.count = count
        }
    }

    /// A server process whose CPU time is measured.
    package struct WatchedProcess: Sendable, Equatable {
        package var name: String
        package var pid: Int32

        package init(name: String, pid: Int32) {
            self.name = name
            self.pid = pid
        }
    }

    /// At least one; connections go to them in turn.
    package var targets: [LoadTarget]
    package var path = Self.chatPath
    package var work = Work.chat
    package var load = Load.closed(concurrency: 1)
    /// What was not set follows from the load, whatever that becomes: 10 requests for each that a
    /// closed loop keeps running, all of a trace, 60 seconds of other arrivals.
    package var extent: Extent {
        get { givenExtent ?? usualExtent }
        set { givenExtent = newValue }
    }
    private var givenExtent: Extent?
    /// The mix, at least one.
    package var classes = [TrafficClass()]
    /// Whose records say how long prompts and answers are, arrival by arrival. Its instants are
    /// `load`'s.
    package var replay: TraceReplay?
    package var version = HTTPVersion.h2
    package var trust = Trust.system
    /// HTTP/2 connections; requests go to them in turn.
    package var connections = 1
    /// On every request.
    package var fields: [HTTPField] = []
    /// Requests before the load begins, not recorded.
    package var warmUpRequests = 0
    /// How long the load runs before the measurement begins.
    package var warmUpSeconds = 0.0
    /// What answers have to meet to be good; empty: goodput is not reported.
    package var objective = ServiceLevelObjective()
    /// Told about the run each second, on its event loop.
    package var progress: (@Sendable (LiveFigures) -> Void)?
    package var probe: Probe?
    package var processes: [WatchedProcess] = []
    /// A request that takes longer is reset and counts as an error.
    package var requestTimeoutSeconds = 300.0
    /// Arrivals beyond it are not sent and count as failed: the generator's own limit.
    package var inFlightMax = 20_000
    /// Of all that is drawn: arrivals, prompts, lengths, who cancels and who is slow.
    package var seed: UInt64 = 1

    /// Those that xAI's messages can name.
    package static let grpcTiers = Set(XAIRequestBody.tiers.keys)
    package static let chatPath = "/v1/chat/completions"

    package init(targets: [LoadTarget]) {
        self.targets = targets
    }

    private var usualExtent: Extent {
        if let replay { return .requests(replay.trace.records.count) }
        return switch load {
        case .closed(let concurrency): .requests(concurrency * 10)
        case .open: .seconds(60)
        }
    }

    /// Plays a trace: its arrivals and lengths, once.
    package mutating func play(_ replay: TraceReplay) {
        self.replay = replay
        load = .open(ArrivalSchedule(recorded: replay.instants))
    }
}
