import InferenceTypes

/// A bucket that fills at so many permits per minute and holds a burst. Integer arithmetic: a
/// permit is 60,000,000 parts, of which `perMinute` come each microsecond, so that nothing is
/// rounded. It may be overdrawn, by work that turns out larger than was reserved, and by a request
/// larger than the burst.
struct TokenBucket: Sendable {
    private static let partsPerPermit: Int64 = 60_000_000

    private(set) var perMinute: Int
    private(set) var burst: Int
    private var parts: Int64
    private var filled: Instant

    init(perMinute: Int, burst: Int, now: Instant) {
        self.perMinute = perMinute
        self.burst = burst
        parts = Int64(burst) * Self.partsPerPermit
        filled = now
    }

    private var capacity: Int64 { Int64(burst) * Self.partsPerPermit }

    /// Changed limits hold at once; what is in the bucket stays, up to the new burst.
    mutating func set(perMinute: Int, burst: Int, now: Instant) {
        guard perMinute != self.perMinute || burst != self.burst else { return }
        fill(now)
        self.perMinute = perMinute
        self.burst = burst
        parts = min(parts, capacity)
    }

    mutating func fill(_ now: Instant) {
        let microseconds = now.nanoseconds(since: filled) / 1_000
        guard microseconds > 0 else { return }
        let (come, overflow) = microseconds.multipliedReportingOverflow(by: Int64(perMinute))
        parts = overflow || come >= capacity - parts ? capacity : parts + come
        filled = filled.advanced(byNanoseconds: microseconds * 1_000)
    }

    // The rest holds for a bucket that has just been filled.

    /// How long until `permits` can be taken, in nanoseconds; 0: now. More than the burst can be
    /// taken when the bucket is full.
    func wait(for permits: Int) -> Int64 {
        let missing = min(Int64(permits), Int64(burst)) * Self.partsPerPermit - parts
        guard missing > 0 else { return 0 }
        return ((missing - 1) / Int64(perMinute) + 1) * 1_000
    }

    mutating func take(_ permits: Int) {
        parts -= Int64(permits) * Self.partsPerPermit
    }

    /// Below 0 takes more.
    mutating func giveBack(_ permits: Int) {
        parts = min(capacity, parts + Int64(permits) * Self.partsPerPermit)
    }

    /// Whole permits; 0 when overdrawn.
    var remaining: Int { Int(max(0, parts) / Self.partsPerPermit) }
    var isFull: Bool { parts == capacity }
    /// Until it is full, in nanoseconds.
    var resetNanoseconds: Int64 { wait(for: burst) }
}
