import NIOCore

/// Counts the frames by which a peer can make us work for nothing.
///
/// Each kind has an allowance of tokens: a frame takes one, useful traffic gives some back (who
/// receives much DATA must send many WINDOW_UPDATEs), and every `HTTPLimits.floodWindow` fills
/// each allowance up to its base again. Pure: time is an argument. libnghttp2 1.52 has none of
/// these limits but one for RST_STREAM.
struct HTTP2FloodCounters {
    /// A token bucket without a clock.
    struct Allowance {
        private let base: Int
        private let cap: Int
        private(set) var tokens: Int

        init(_ base: Int) {
            self.base = base
            // Credit for useful traffic has a bound too, far above a burst of honest clients.
            cap = base > Int.max - 65_536 ? Int.max : base + 65_536
            tokens = base
        }

        /// False when the allowance is used up.
        mutating func take() -> Bool {
            tokens -= 1
            return tokens >= 0
        }

        mutating func give(_ count: Int) {
            tokens = min(tokens + count, cap)
        }

        mutating func fill() {
            tokens = max(tokens, base)
        }
    }

    private(set) var pings: Allowance
    private var settings: Allowance
    private var emptyData: Allowance
    private var ignored: Allowance
    private var windowUpdates: Allowance
    private var resets: Allowance
    private var provokedResets: Allowance
    private let window: TimeAmount
    private var filledAt: NIODeadline

    init(limits: HTTPLimits, now: NIODeadline) {
        pings = Allowance(limits.pingsPerWindow)
        settings = Allowance(limits.settingsPerWindow)
        emptyData = Allowance(limits.emptyDataFramesPerWindow)
        ignored = Allowance(limits.ignoredFramesPerWindow)
        windowUpdates = Allowance(limits.windowUpdatesPerWindow)
        resets = Allowance(limits.resetsPerWindow)
        provokedResets = Allowance(limits.provokedResetsPerWindow)
        window = limits.floodWindow
        filledAt = now
    }

    /// Starts a new window when the old one is over.
    mutating func advance(to now: NIODeadline) {
        guard now - filledAt >= window else { return }
        filledAt = now
        pings.fill()
        settings.fill()
        emptyData.fill()
        ignored.fill()
        windowUpdates.fill()
        resets.fill()
        provokedResets.fill()
    }

    /// Counts a received frame by its header; false: flood.
    mutating func received(type: UInt8, flags: UInt8, length: Int) -> Bool {
        switch type {
        case HTTP2FrameType.data:
            if length == 0 { return flags & 0x1 != 0 || emptyData.take() }
            pings.give(1)
            return true
        case HTTP2FrameType.headers:
            pings.give(1)
            ignored.give(2)
            return true
        case HTTP2FrameType.resetStream: return resets.take()
        case HTTP2FrameType.settings: return flags & 0x1 != 0 || settings.take()
        case HTTP2FrameType.ping: return flags & 0x1 != 0 || pings.take()
        case HTTP2FrameType.windowUpdate: return windowUpdates.take()
        case HTTP2FrameType.continuation, HTTP2FrameType.pushPromise: return true
        default: return ignored.take()  // PRIORITY, GOAWAY, PRIORITY_UPDATE, unknown
        }
    }

    /// Counts a DATA frame of nothing but padding; false: flood.
    mutating func receivedOnlyPadding() -> Bool {
        emptyData.take()
    }

    /// A DATA frame with bytes went out.
    mutating func sentData() {
        pings.give(1)
        windowUpdates.give(2)
    }

    /// A stream ended normally.
    mutating func streamEndedWell() {
        resets.give(1)
    }

    /// The peer's violation made us reset a stream; false: flood.
    mutating func provokedReset() -> Bool {
        provokedResets.take()
    }
}

/// Frame types, RFC 9113 §6.
enum HTTP2FrameType {
    static let data: UInt8 = 0x0
    static let headers: UInt8 = 0x1
    static let priority: UInt8 = 0x2
    static let resetStream: UInt8 = 0x3
    static let settings: UInt8 = 0x4
    static let pushPromise: UInt8 = 0x5
    static let ping: UInt8 = 0x6
    static let goAway: UInt8 = 0x7
    static let windowUpdate: UInt8 = 0x8
    static let continuation: UInt8 = 0x9
}
