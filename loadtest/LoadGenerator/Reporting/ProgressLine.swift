/// The line of a terminal that tells how a run goes, written over itself each second.
package struct ProgressLine: Sendable {
    /// Written when the run is over, so that what follows begins on a clean line.
    package static let cleared = "\r\u{1B}[K"

    /// Columns of the terminal; what does not fit is left out.
    private let columns: Int

    package init(columns: Int) { self.columns = columns }

    /// The line without its end, over what stands there.
    package func text(_ figures: LiveFigures) -> String {
        Self.cleared + String(Self.words(figures).prefix(max(0, columns - 1)))
    }

    static func words(_ figures: LiveFigures) -> String {
        var parts = [
            "\(Int(figures.elapsedSeconds)) s",
            "\(Decimals.short(figures.succeededPerSecond)) ok/s",
            "\(figures.inFlight) in flight",
        ]
        if figures.tokensPerSecond > 0 {
            parts.append("\(Decimals.short(figures.tokensPerSecond)) tokens/s")
        }
        if let p50 = figures.timeToFirstTokenP50, let p99 = figures.timeToFirstTokenP99 {
            parts.append("TTFT p50 \(Decimals.short(p50)) p99 \(Decimals.short(p99)) ms")
        }
        if figures.shed > 0 { parts.append("\(figures.shed) shed") }
        parts.append("\(figures.failed) errors")
        return parts.joined(separator: "  ")
    }
}
