import NIOCore

/// The time limits of one HTTP/1.1 connection, on one timer. Owned by the connection's loop.
///
/// Moving a deadline costs a store: the timer is only re-armed when it fires too early or a new
/// deadline lies before it.
struct HTTP1Deadlines {
    enum Kind {
        /// Between requests.
        case idle
        /// A request's head is expected or has begun.
        case head
        /// The next bytes of a request's body.
        case body
        /// A refused client's FIN.
        case linger
        /// The socket takes nothing.
        case write
    }

    private let eventLoop: any EventLoop
    private let timer: Timer
    /// What the next incoming byte is waited for; nil: no limit.
    private(set) var reading: Kind?
    var onExpiry: ((Kind) -> Void)? {
        get { timer.onExpiry }
        nonmutating set { timer.onExpiry = newValue }
    }

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        timer = Timer(eventLoop: eventLoop)
    }

    mutating func set(_ kind: Kind, after delay: TimeAmount) {
        reading = kind
        timer.set(.reading, kind, at: eventLoop.now + delay)
    }

    mutating func clearReading() {
        reading = nil
        timer.clear(.reading)
    }

    func setWrite(after delay: TimeAmount) {
        timer.set(.writing, .write, at: eventLoop.now + delay)
    }

    func clearWrite() {
        timer.clear(.writing)
    }

    func cancel() {
        timer.cancel()
    }

    /// The side of the connection that a deadline belongs to; each has at most one.
    private enum Side {
        case reading, writing
    }

    private final class Timer {
        private let eventLoop: any EventLoop
        private var reading: (kind: Kind, at: NIODeadline)?
        private var writing: (kind: Kind, at: NIODeadline)?
        private var armed: Scheduled<Void>?
        private var armedAt = NIODeadline.distantFuture
        private var isCancelled = false
        var onExpiry: ((Kind) -> Void)?

        init(eventLoop: any EventLoop) {
            self.eventLoop = eventLoop
        }

        func set(_ side: Side, _ kind: Kind, at deadline: NIODeadline) {
            switch side {
            case .reading: reading = (kind, deadline)
            case .writing: writing = (kind, deadline)
            }
            arm()
        }

        func clear(_ side: Side) {
            switch side {
            case .reading: reading = nil
            case .writing: writing = nil
            }
        }

        func cancel() {
            isCancelled = true
            reading = nil
            writing = nil
            armed?.cancel()
            armed = nil
            onExpiry = nil
        }

        private func arm() {
            let next = min(reading?.at ?? .distantFuture, writing?.at ?? .distantFuture)
            guard next < armedAt, !isCancelled else { return }
            armed?.cancel()
            armedAt = next
            armed = eventLoop.assumeIsolated().scheduleTask(deadline: next) { [weak self] in
                self?.fired()
            }
        }

        private func fired() {
            armed = nil
            armedAt = .distantFuture
            let now = eventLoop.now
            if let due = writing, due.at <= now {
                writing = nil
                onExpiry?(due.kind)
            }
            if let due = reading, due.at <= now {
                reading = nil
                onExpiry?(due.kind)
            }
            arm()
        }
    }
}
