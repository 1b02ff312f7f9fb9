/// The long prompts thrown in among running streams. Owned by the run's event loop.
struct ProbeState {
    /// From a probe's injection until its first token.
    struct Window {
        var start: UInt64
        /// nil: no token yet.
        var end: UInt64?

        /// Whether a gap between two deliveries overlaps the window. A stalled stream's next
        /// token may come after the probe's first one, and its gap counts.
        func overlaps(from: UInt64, to: UInt64) -> Bool {
            to > start && from < (end ?? .max)
        }
    }

    let settings: LoadConfiguration.Probe
    var injected = 0
    var window: Window?

    init(_ settings: LoadConfiguration.Probe) {
        self.settings = settings
    }
}
