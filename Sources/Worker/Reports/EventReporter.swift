import EngineProtocol
import GRPC
import InferenceTypes
import NIOCore
import Scheduling

/// Tells subscribers what the worker has to do and what its cache holds: a few batches a second,
/// made once for all of them. Owned by the worker's first event loop.
///
/// A subscriber begins with a snapshot. One that reads too slowly gets nothing until it reads
/// again, and then a snapshot: nothing is kept for it. Until somebody has subscribed there is no
/// timer and the engine thread says nothing.
final class EventReporter {
    private final class Subscriber {
        let call: NIOLoopBound<EngineEventCall>
        let eventLoop: any EventLoop
        /// It must get a snapshot next.
        var isBehind = true
        /// As it last said.
        var isWritable = true

        init(_ call: NIOLoopBound<EngineEventCall>, on eventLoop: any EventLoop) {
            self.call = call
            self.eventLoop = eventLoop
        }
    }

    /// An unchanged load is repeated after this long, so that a subscriber knows that it holds.
    private static let repeatNanoseconds: Int64 = 1_000_000_000

    private let eventLoop: any EventLoop
    private let log: CacheLog
    private let interval: TimeAmount
    private let subscribersMax: Int
    private let load: () -> EngineLoad
    private let now: @Sendable () -> Instant
    private var mirror: CacheMirror
    private var subscribers: [ObjectIdentifier: Subscriber] = [:]
    private var sequenceNumber: UInt64 = 0
    private var lastLoad: (load: EngineLoad, at: Instant)?
    private var timer: RepeatedTask?
    private var refusal: GRPCStatus?

    init(
        eventLoop: any EventLoop, log: CacheLog, intervalMilliseconds: Int, blockTokens: Int,
        subscribersMax: Int, now: @escaping @Sendable () -> Instant,
        load: @escaping () -> EngineLoad
    ) {
        self.eventLoop = eventLoop
        self.log = log
        interval = .milliseconds(Int64(intervalMilliseconds))
        self.subscribersMax = subscribersMax
        self.now = now
        self.load = load
        mirror = CacheMirror(blockTokens: blockTokens)
    }

    /// From the call's own loop, by way of this one.
    func subscribe(
        _ id: ObjectIdentifier, _ call: NIOLoopBound<EngineEventCall>, on loop: any EventLoop
    ) {
        let status =
            refusal
            ?? (subscribers.count < subscribersMax
                ? nil : GRPCStatus(.resourceExhausted, "too many subscribers"))
        if let status { return loop.execute { call.value.finish(status) } }
        if timer == nil { start() }
        subscribers[id] = Subscriber(call, on: loop)
        report()
    }

    func unsubscribe(_ id: ObjectIdentifier) {
        subscribers[id] = nil
    }

    /// The subscriber reads again.
    func writable(_ id: ObjectIdentifier) {
        subscribers[id]?.isWritable = true
    }

    /// No more reports: subscriptions end with `status`, since an open one would hold up a drain.
    func close(_ status: GRPCStatus) {
        refusal = status
        timer?.cancel()
        timer = nil
        for subscriber in subscribers.values {
            let call = subscriber.call
            subscriber.eventLoop.execute { call.value.finish(status) }
        }
        subscribers.removeAll()
    }

    /// What was computed before is not known, and is never reported.
    private func start() {
        log.turnOn()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            bound.value.report()
        }
    }

    /// One batch for those who are up to date, one with a snapshot for the others.
    private func report() {
        var events: [EngineCacheEvent] = []
        if let changes = log.take() {
            for change in changes { mirror.apply(change) }
            events = mirror.takeEvents()
        } else {
            mirror.forget()
            events = [.cleared]
        }
        if !events.isEmpty { sequenceNumber += 1 }
        let instant = now()
        var batch = EngineEventBatch(
            sequenceNumber: sequenceNumber, timestamp: UnixTime.seconds())
        batch.events = events
        let load = load()
        if load != lastLoad?.load
            || instant.nanoseconds(since: lastLoad?.at ?? .zero) >= Self.repeatNanoseconds
        {
            lastLoad = (load, instant)
            batch.load = load
        }
        var snapshot: EngineEventBatch?
        for subscriber in subscribers.values where subscriber.isWritable {
            if subscriber.isBehind {
                if snapshot == nil {
                    snapshot = batch
                    snapshot?.events = mirror.snapshot()
                    snapshot?.isSnapshot = true
                    snapshot?.load = load
                }
                subscriber.isBehind = false
                if let snapshot { send(snapshot, to: subscriber) }
            } else if !batch.events.isEmpty || batch.load != nil {
                send(batch, to: subscriber)
            }
        }
        for subscriber in subscribers.values where !subscriber.isWritable {
            // Loads alone are worth nothing by the time they are read.
            if !events.isEmpty { subscriber.isBehind = true }
        }
    }

    private func send(_ batch: EngineEventBatch, to subscriber: Subscriber) {
        let call = subscriber.call
        let bound = NIOLoopBound((self, subscriber), eventLoop: eventLoop)
        let home = eventLoop
        subscriber.eventLoop.execute {
            call.value.send(batch)
            guard !call.value.isWritable else { return }
            home.execute { bound.value.1.isWritable = false }
        }
    }
}
