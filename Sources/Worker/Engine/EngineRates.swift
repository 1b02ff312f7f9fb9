import InferenceTypes

/// What the engine did lately: averages over windows of a second, for load reports.
struct EngineRates: Hashable, Sendable {
    private(set) var tokensPerSecond = 0.0
    /// Busy part of the wall time, 0...1.
    private(set) var utilization = 0.0
    private var windowStart = Instant.zero
    private var windowTokens: UInt64 = 0
    private var windowBusyNanoseconds: Int64 = 0

    static let windowNanoseconds: Int64 = 1_000_000_000

    /// Closes the window when it is long enough. The arguments count from the engine's start.
    mutating func advance(to instant: Instant, tokens: UInt64, busyNanoseconds: Int64) {
        let elapsed = instant.nanoseconds(since: windowStart)
        guard elapsed >= Self.windowNanoseconds else { return }
        tokensPerSecond = Double(tokens - windowTokens) * 1e9 / Double(elapsed)
        utilization = min(1, Double(busyNanoseconds - windowBusyNanoseconds) / Double(elapsed))
        windowStart = instant
        windowTokens = tokens
        windowBusyNanoseconds = busyNanoseconds
    }

    /// As seen at `instant` of an engine that last spoke at `last`: an idle one says nothing, so
    /// what it said loses its meaning after two windows.
    func seen(at instant: Instant, lastReport last: Instant) -> EngineRates {
        instant.nanoseconds(since: last) > 2 * Self.windowNanoseconds ? EngineRates() : self
    }
}
