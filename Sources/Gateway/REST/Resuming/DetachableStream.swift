import HTTPTransport
import InferenceAPI
import NIOCore
import Storage

/// A stream that its client asked to go on without it: what is generated is kept for a while and
/// can be read from a new connection. Owned by the loop on which it is generated.
///
/// ```
///             connection lost                  new reader
///   attached ─────────────────► nobody reads ◄────────────► read by a ResumedExchange
///       │                            │ window over: generation cancelled, log gone
///       └── last event ──────────────┴──► kept for the window, then gone
/// ```
final class DetachableStream {
    let log: StreamLog
    private let answerID: String
    private let window: TimeAmount
    private let connectionLoop: ConnectionLoop
    /// Ends the generation, or lets it go on; nil once it has ended.
    private var generation: Generation?
    /// The connection that began it is there.
    private(set) var isAttached = true
    private var timer: Scheduled<Void>?

    /// Nil when there are as many as there may be.
    init?(
        id: String, answerID: String, owner: Owner, generation: Generation,
        on connectionLoop: ConnectionLoop
    ) {
        let limits = generation.limits
        let place = ResumableStreams.Place(
            loop: connectionLoop.index, stream: id, owner: owner)
        guard
            connectionLoop.core.resumable.add(
                place, answerID: answerID, limit: limits.resumableStreamsLimit)
        else { return nil }
        log = StreamLog(id: id, limitBytes: limits.resumableStreamBytes)
        self.answerID = answerID
        self.generation = generation
        self.connectionLoop = connectionLoop
        window = .seconds(Int64(limits.resumeWindowSeconds))
        connectionLoop.detachable[id] = self
    }

    func append(_ events: ByteBuffer) {
        log.append(events, wasSent: isAttached)
    }

    /// Called when a new connection takes the place of the one that began it, which the server may
    /// not know to be lost.
    var onTakeOver: (() -> Void)?

    /// A new connection reads from now on; its number.
    func takeOver() -> Int {
        if isAttached {
            detach()
            onTakeOver?()
        }
        return log.newReader()
    }

    /// The connection that began it is gone.
    func detach() {
        guard isAttached else { return }
        isAttached = false
        _ = log.newReader()
        startTimer()
    }

    /// No event follows.
    func finish() {
        generation = nil
        log.finish()
        startTimer()
    }

    /// What comes after `after`, for the newest reader.
    func read(
        after: Int, by reader: Int, limitBytes: Int, _ call: @escaping StreamLog.Waiter
    ) {
        timer?.cancel()
        log.read(after: after, by: reader, limitBytes: limitBytes, call)
        generation?.receiverReads()
    }

    /// A reader's connection is gone.
    func readerLeft(_ reader: Int) {
        guard log.isCurrent(reader) else { return }
        _ = log.newReader()
        startTimer()
    }

    private func startTimer() {
        timer?.cancel()
        timer = connectionLoop.eventLoop.assumeIsolated().scheduleTask(in: window) {
            self.remove()
        }
    }

    /// Nobody came within the window, or the gateway stops.
    func remove() {
        timer?.cancel()
        timer = nil
        guard connectionLoop.detachable.removeValue(forKey: log.id) != nil else { return }
        connectionLoop.core.resumable.remove(stream: log.id, answerID: answerID)
        let generation = generation
        self.generation = nil
        generation?.end(.abandoned)
    }
}
