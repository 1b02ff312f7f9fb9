/// What a simulated upstream is asked to be.
package struct UpstreamConfiguration: Sendable, Equatable {
    package var host = "127.0.0.1"
    /// 0: the system chooses.
    package var port = 0
    /// The name of its model.
    package var model = "simulated"
    /// From one token of a stream to its next. 0: as fast as its reader takes them.
    package var stepMilliseconds = 0.0
    /// From a request to its first token.
    package var firstTokenMilliseconds = 0.0
    /// Paced streams are dealt out to so many moments of a step. 1: all get their tokens at once,
    /// as from one engine; more: evenly, as from so many engines that know nothing of each other.
    package var phases = 1
    /// Tokens of an unpaced stream that go out in one write, each an event and a chunk of its own.
    package var eventsPerWrite = 1
    /// Each token is the time at which it was written (`EventStamp`), not a word.
    package var isStamped = false
    /// Answers of requests without `max_tokens`.
    package var defaultTokens = 16
    /// A request for a longer answer is refused (400).
    package static let tokensMax = 10_000_000
    /// A longer request body is refused (413).
    package var bodyBytesMax = 16 << 20
    /// Event loops, each with streams and a timer of its own.
    package var threads = 1

    /// Between two moments: nearer to each other, a timer would do nothing but fire.
    package static let momentNanosecondsMin: Int64 = 10_000

    package init() {}

    /// Between two moments of the timer; 0: unpaced.
    var momentNanoseconds: Int64 {
        stepMilliseconds > 0 ? Int64(stepMilliseconds * 1e6) / Int64(phases) : 0
    }

    /// Throws for numbers with which nothing can be served.
    package func check() throws(UpstreamConfigurationError) {
        func require(
            _ name: String, _ value: Double, in range: ClosedRange<Double>
        ) throws(UpstreamConfigurationError) {
            guard range.contains(value) else {
                throw .outOfRange(name: name, value: value, range: range)
            }
        }
        try require("port", Double(port), in: 0...65_535)
        try require("step, in ms", stepMilliseconds, in: 0...60_000)
        try require("time to the first token, in ms", firstTokenMilliseconds, in: 0...600_000)
        try require("phases", Double(phases), in: 1...10_000)
        try require("events per write", Double(eventsPerWrite), in: 1...1_024)
        try require("tokens", Double(defaultTokens), in: 1...Double(Self.tokensMax))
        try require("threads", Double(threads), in: 1...64)
        guard stepMilliseconds == 0 || momentNanoseconds >= Self.momentNanosecondsMin else {
            throw .momentsTooNear(nanoseconds: momentNanoseconds)
        }
    }
}

/// A simulated upstream that cannot be.
package enum UpstreamConfigurationError: Error, Equatable, CustomStringConvertible {
    case outOfRange(name: String, value: Double, range: ClosedRange<Double>)
    /// A step, divided by its phases.
    case momentsTooNear(nanoseconds: Int64)

    package var description: String {
        switch self {
        case .outOfRange(let name, let value, let range):
            "\(name): \(value) is not in \(range.lowerBound)...\(range.upperBound)"
        case .momentsTooNear(let nanoseconds):
            "a step's phases are \(nanoseconds) ns from each other, and must be at least "
                + "\(UpstreamConfiguration.momentNanosecondsMin) ns"
        }
    }
}
