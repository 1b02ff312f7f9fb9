import DequeModule
import NIOCore

/// The events of one stream that its client may read again after a lost connection. Owned by the
/// loop on which the stream is generated.
///
/// What the present reader was handed goes when room is needed; what it was not stays, and the
/// generation waits instead (`hasRoom`). A reader that is gone may not have got what it was handed,
/// so that everything stays for the next one, which says what it has.
final class StreamLog {
    /// What a reader is told. Called once, on the owner's loop.
    typealias Waiter = (Page) -> Void

    enum Page: Sendable {
        /// Whole events, and the number of the last one.
        case events(ByteBuffer, last: Int)
        /// The last event was read before.
        case end
        /// The events are not here any more.
        case lost
        /// Another connection reads this stream now.
        case superseded
    }

    let id: String
    private let limitBytes: Int
    private var events: Deque<ByteBuffer> = []
    /// Number of the first one of `events`.
    private var first = 0
    private var bytes = 0
    /// Number of the first event that the present reader has not had.
    private var unread = 0
    private var hasEnded = false
    private var waiter: (after: Int, limitBytes: Int, call: Waiter)?
    /// Tells readers apart: the last one to come is the only one.
    private var reader = 0

    init(id: String, limitBytes: Int) {
        self.id = id
        self.limitBytes = limitBytes
    }

    private var end: Int { first + events.count }

    /// Whether the stream's generation may go on.
    var hasRoom: Bool { bytes < limitBytes || first < unread }

    /// - Parameter wasSent: the connection that began the stream has them.
    func append(_ buffer: ByteBuffer, wasSent: Bool) {
        var rest = buffer
        while let event = rest.readEvent() {
            events.append(event)
            bytes += event.readableBytes
        }
        if wasSent { unread = end }
        while bytes > limitBytes, first < unread, let event = events.popFirst() {
            bytes -= event.readableBytes
            first += 1
        }
        answerWaiter()
    }

    /// No event follows.
    func finish() {
        hasEnded = true
        answerWaiter()
    }

    /// A connection begins to read, or nobody does any more; one that did before is told so, and
    /// gets nothing more.
    func newReader() -> Int {
        reader += 1
        unread = first
        waiter?.call(.superseded)
        waiter = nil
        return reader
    }

    /// Whether that reader still is the one.
    func isCurrent(_ reader: Int) -> Bool { reader == self.reader }

    /// Asks for the events after number `after` (-1: from the beginning), now or when they come.
    func read(after: Int, by reader: Int, limitBytes: Int, _ call: @escaping Waiter) {
        guard reader == self.reader else { return call(.superseded) }
        guard after + 1 >= first, after < end else { return call(.lost) }
        guard after + 1 < end else {
            guard !hasEnded else { return call(.end) }
            waiter = (after, limitBytes, call)
            return
        }
        var page = ByteBuffer()
        var last = after
        while last + 1 < end, page.readableBytes < limitBytes {
            last += 1
            page.writeImmutableBuffer(events[last - first])
        }
        unread = max(unread, last + 1)
        call(.events(page, last: last))
    }

    private func answerWaiter() {
        guard let waiter else { return }
        self.waiter = nil
        read(
            after: waiter.after, by: reader, limitBytes: waiter.limitBytes, waiter.call)
    }
}
