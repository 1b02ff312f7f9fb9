package import HTTPTransport

/// One run of the load generator.
package struct LoadConfiguration: Sendable {
    package enum HTTPVersion: String, Sendable, CaseIterable {
        /// HTTP/1.1: one connection for each concurrent request, kept alive.
        case h1
        /// HTTP/2 with prior knowledge: all requests over `connections` connections.
        case h2
    }

    package enum Work: Sendable {
        /// Streamed chat completions.
        case chat(ChatRequestBody, PromptSource)
        /// Plain GET requests for small answers.
        case small
    }

    package enum Load: Sendable {
        /// So many requests at once: the next begins when one has ended.
        case closed(concurrency: Int)
        /// Arrivals by schedule, answers or not; latencies count from the intended start.
        case open(ArrivalSchedule)
    }

    /// When the measurement ends; streams that still run at the end of a duration are cut off, and
    /// what they delivered counts as output, but not as a request.
    package enum Extent: Sendable, Equatable {
        case requests(Int)
        case seconds(Double)
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

    package var target: LoadTarget
    package var path: String
    package var work: Work
    package var load: Load
    package var extent: Extent
    package var version = HTTPVersion.h2
    /// HTTP/2 connections; requests go to them in turn.
    package var connections = 1
    package var fields: [HTTPField] = []
    /// Requests before the measurement, not recorded.
    package var warmUpRequests = 0
    package var probe: Probe?
    package var processes: [WatchedProcess] = []
    /// A request that takes longer is reset and counts as an error.
    package var requestTimeoutSeconds = 300.0
    /// Arrivals beyond it are not sent and count as errors: the generator's own limit.
    package var inFlightMax = 20_000
    /// What answers have to meet to be good; empty: goodput is not reported.
    package var objective = ServiceLevelObjective()
    /// Told about the run each second, on its event loop.
    package var progress: (@Sendable (LiveFigures) -> Void)?
    /// Seed of prompts of probes.
    package var seed: UInt64 = 1

    package init(target: LoadTarget, path: String, work: Work, load: Load, extent: Extent) {
        self.target = target
        self.path = path
        self.work = work
        self.load = load
        self.extent = extent
    }
}
