import NIOCore

/// What one request of the generator asks, and how its client behaves.
struct StreamWork {
    /// Into the run's classes, and into what is measured.
    var traffic = 0
    var measuredClass = 0
    var encoding = RequestEncoding.json
    /// Whether the answer is a stream of events, to be scanned.
    var isChat = true
    /// Kept for a second try.
    var body: ByteBuffer?
    /// The arrival whose turn it is; nil for probes and small requests.
    var arrival: ArrivalState?
    /// A later turn feeds the answer back.
    var keepsText = false
    var cancel: TrafficClass.Cancels.Moment?
    var pace: TrafficClass.SlowReaders.Pace?
}

/// How a slow reader goes on. Owned by its stream.
struct ReadingPace {
    /// Rates are kept in pieces of so much time.
    static let pieceSeconds = 0.05

    var bytesPerSecond: Double?
    /// Still to come, behind the first token.
    var stallSeconds: Double?
    /// A timer runs, until which nothing is read.
    var isHolding = false
    /// Received and not yet given back to the server as room.
    var withheldBytes = 0

    init(_ pace: TrafficClass.SlowReaders.Pace) {
        switch pace {
        case .bytesPerSecond(let rate): bytesPerSecond = rate
        case .stall(let seconds): stallSeconds = seconds
        }
    }
}
