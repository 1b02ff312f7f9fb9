import InferenceTypes
import NIOCore
import Scheduling

/// The engine thread's life: mail, schedule, execute, post; asleep only when there is no work.
///
/// Owned by the engine thread, which creates it and alone touches it. A step costs one look into
/// the mailbox and one task per event loop, whatever the number of its sequences.
struct EngineLoop<E: TimedEngine & ~Copyable>: ~Copyable {
    private var engine: E
    private var scheduler: Scheduler
    private let mailbox: EngineMailbox
    private let ports: [StepOutputPort]
    private let now: @Sendable () -> Instant
    private let metrics: WorkerMetrics
    private let cacheLog: CacheLog
    /// Nil: none is kept.
    private var journal: WorkerJournal?
    /// As of the end of the latest step.
    private var counted = EngineReport()

    private var mail: [EngineMail] = []
    private var refusals: [StepOutput.Refusal] = []
    /// Batches posted to each loop since the start.
    private var posted: [UInt64]
    private var time = EngineTime()
    private var rates = EngineRates()
    private var stops = false
    private var embeddings = EmbeddingQueue()
    /// When the engine last came from having nothing to do.
    private var busySince: Instant?

    init(
        engine: consuming E, scheduler: Scheduler, mailbox: EngineMailbox,
        ports: [StepOutputPort], metrics: WorkerMetrics, cacheLog: CacheLog = CacheLog(),
        journal: WorkerJournal? = nil, now: @escaping @Sendable () -> Instant
    ) {
        self.engine = engine
        self.scheduler = scheduler
        self.mailbox = mailbox
        self.ports = ports
        self.metrics = metrics
        self.cacheLog = cacheLog
        self.journal = journal
        self.now = now
        posted = [UInt64](repeating: 0, count: ports.count)
    }

    /// Runs until `EngineMail.stop`. Returns what the scheduler and the clock had counted; throws
    /// when the engine broke, after every request was told.
    mutating func run() throws(EngineError) -> EngineReport {
        do throws(EngineError) {
            let report = try runUntilStopped()
            embeddings.end()
            return report
        } catch {
            embeddings.end()
            throw error
        }
    }

    private mutating func runUntilStopped() throws(EngineError) -> EngineReport {
        var wait = EngineMailbox.Wait.mail(timeoutSeconds: nil)
        while true {
            let before = now()
            if case .mail = wait { becameIdle(at: before) }
            let isOutputFull = mailbox.take(
                into: &mail, wait: wait, posted: posted, report: report(at: before))
            let instant = now()
            if case .mailOrOutput = wait {
                time.outputWaitNanoseconds += instant.nanoseconds(since: before)
            }
            if busySince == nil { busySince = instant }
            readMail(at: instant)
            if stops { break }
            if isOutputFull {
                wait = .mailOrOutput
            } else {
                wait = try step(at: instant)
            }
            if !embeddings.isEmpty {
                metrics.embeddingTokens.increment(by: UInt64(embeddings.advance(&engine)))
                // Whatever there is to wait for, after the last chunk.
                wait = .none
            }
        }
        becameIdle(at: now())
        return report(at: now())
    }

    private mutating func readMail(at instant: Instant) {
        for message in mail {
            switch message {
            case .submit(let key, let request, let deadline, let due):
                do throws(SubmitError) {
                    try scheduler.submit(
                        request, key: key, deadline: deadline, due: due, now: instant)
                    journal?.submitted(request, key: key)
                } catch {
                    refusals.append(StepOutput.Refusal(key: key, error: error))
                }
            case .cancel(let key):
                scheduler.cancel(key, now: instant)
                journal?.cancelled(key)
            case .pause(let key): scheduler.pause(key)
            case .resume(let key): scheduler.resume(key)
            case .embed(let job): embeddings.add(job)
            case .stop: stops = true
            }
        }
    }

    /// Runs one step when there is one; returns how to wait before the next.
    private mutating func step(at instant: Instant) throws(EngineError) -> EngineMailbox.Wait {
        let expired = scheduler.expire(now: instant)
        guard let plan = scheduler.schedule(now: instant) else {
            // Looking for a step may have ended requests as well.
            post(expired + scheduler.expire(now: instant), at: instant)
            // Requests that nobody reads still have deadlines.
            let load = scheduler.load
            let unfinished = load.running + load.waiting + load.parked
            let timeout = unfinished > 0 ? EngineLoopLimits.lookSeconds : nil
            return .mail(timeoutSeconds: timeout)
        }
        let started = now()
        mailbox.stepBegins(at: started, predictedNanoseconds: plan.predictedNanoseconds)
        let result = execute(plan)
        let ended = now()
        time.executeNanoseconds += ended.nanoseconds(since: started)
        time.decodeNanoseconds = engine.decodeNanoseconds
        let events = scheduler.complete(plan, result, now: ended)
        post(expired.isEmpty ? events : expired + events, at: ended)
        if case .success = result {
            cacheLog.record(plan, succeeded: true)
        } else {
            cacheLog.record(plan, succeeded: false)
        }
        count(plan.shape, result, since: started, at: ended)
        if case .failure(let error) = result, error != .noCacheSpace {
            becameIdle(at: now())
            throw error
        }
        return .none
    }

    private mutating func execute(_ plan: StepPlan) -> Result<StepResult, EngineError> {
        do throws(EngineError) {
            return .success(try engine.execute(plan))
        } catch {
            return .failure(error)
        }
    }

    /// One task for each loop that has something to learn.
    private mutating func post(_ events: [SchedulerEvent], at instant: Instant) {
        // Before anybody learns of them.
        journal?.record(events)
        if journal?.flush() == false { metrics.journalFailures.increment() }
        guard !events.isEmpty || !refusals.isEmpty else { return }
        if ports.count == 1 {
            posted[0] += 1
            ports[0].post(StepOutput(instant: instant, events: events, refusals: refusals))
        } else {
            var outputs = [StepOutput](repeating: StepOutput(instant: instant), count: ports.count)
            for event in events { outputs[event.key.loop].events.append(event) }
            for refusal in refusals { outputs[refusal.key.loop].refusals.append(refusal) }
            for loop in outputs.indices where !outputs[loop].isEmpty {
                posted[loop] += 1
                ports[loop].post(outputs[loop])
            }
        }
        refusals.removeAll(keepingCapacity: true)
    }

    private mutating func count(
        _ shape: StepShape, _ result: Result<StepResult, EngineError>, since started: Instant,
        at ended: Instant
    ) {
        var report = report(at: ended)
        rates.advance(
            to: ended, tokens: report.load.generatedTokens,
            busyNanoseconds: report.time.busyNanoseconds)
        report.rates = rates
        metrics.observe(
            step: shape, nanoseconds: ended.nanoseconds(since: started), from: counted, to: report)
        counted = report
    }

    private mutating func becameIdle(at instant: Instant) {
        guard let since = busySince else { return }
        time.busyNanoseconds += instant.nanoseconds(since: since)
        busySince = nil
    }

    private func report(at instant: Instant) -> EngineReport {
        var time = time
        if let busySince { time.busyNanoseconds += instant.nanoseconds(since: busySince) }
        return EngineReport(
            instant: instant, isBusy: busySince != nil, load: scheduler.load, time: time,
            rates: rates)
    }
}

enum EngineLoopLimits {
    /// How often an engine without a step looks at the deadlines of requests that wait for their
    /// readers.
    static let lookSeconds = 0.1
}
