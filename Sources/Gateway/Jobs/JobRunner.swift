import InferenceAPI
import Logging
import NIOCore
import Storage

/// Runs accepted jobs until each has a result, one process at a time for a data directory.
///
/// A job is claimed, generated on a connection loop, and its result is written in the transaction
/// that ends it: a process that ends before leaves the job to the next one, which generates anew.
/// So a client sees one result, however often it was begun.
actor JobRunner {
    /// How often due jobs are looked for when nothing else wakes it.
    static let pollInterval: TimeAmount = .seconds(1)
    private static let purgeIntervalMilliseconds: Int64 = 60_000
    /// Rows that one purge removes, so that writers do not wait for it.
    private static let purgeLimit = 1_000

    private let core: GatewayCore
    private let access: StorageAccess
    private let loops: [ConnectionLoopHandle]
    private let lockPath: String
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    private var lock: RunnerLock?
    private var running: [Int64: JobHandle] = [:]
    private var runningBatch = 0
    private var turn = 0
    private var lastPurge: Int64 = 0

    init(
        core: GatewayCore, access: StorageAccess, loops: [ConnectionLoopHandle], lockPath: String,
        signals: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    ) {
        self.core = core
        self.access = access
        self.loops = loops
        self.lockPath = lockPath
        self.signals = signals.stream
        signal = signals.continuation
    }

    /// Until the signals end, and the last job that runs. Jobs that are ended by the drain wait
    /// for the next process.
    func run() async {
        let poll = loops[0].eventLoop.scheduleRepeatedTask(
            initialDelay: .zero, delay: Self.pollInterval
        ) { [signal] _ in signal.yield() }
        await withDiscardingTaskGroup { group in
            for await _ in signals {
                do {
                    guard try await takeLock() else { continue }
                    try await purge()
                    try await endCancelled()
                    // Without a worker nothing could be done but wait in its queue.
                    guard core.status.isReady else { continue }
                    // One after the other: what was claimed runs, whatever becomes of the next.
                    for isBatch in [false, true] {
                        for job in try await claim(isBatch: isBatch) {
                            let handle = nextHandle()
                            running[job.sequence] = handle
                            group.addTask { await self.run(job, on: handle) }
                        }
                    }
                } catch {
                    core.logger.error(
                        "the state cannot be read or written", metadata: ["reason": "\(error)"])
                }
            }
        }
        poll.cancel()
        lock = nil
    }

    // MARK: Beginning

    private func takeLock() async throws -> Bool {
        guard lock == nil else { return true }
        guard let lock = try RunnerLock(path: lockPath) else { return false }
        // Nobody else runs jobs now, so what seems to run was left by a process that ended.
        let failure = StoredAnswer.failure(
            APIError(.internal, "The gateway ended again and again while this request ran."))
        let count = try await access.perform { storage in
            try storage.recoverJobs(
                interrupted: JobOutcome(succeeded: false, result: failure.encoded),
                now: UnixClock.milliseconds())
        }
        self.lock = lock
        if count > 0 {
            core.logger.notice(
                "going on with what another process left", metadata: ["jobs": "\(count)"])
        }
        return true
    }

    private func claim(isBatch: Bool) async throws -> [Job] {
        let configuration = core.serving.current.configuration
        let room =
            isBatch
            ? configuration.batchConcurrency - runningBatch
            : configuration.jobConcurrency - (running.count - runningBatch)
        let jobs = try await access.perform { storage in
            try storage.claimJobs(isBatch: isBatch, limit: room, now: UnixClock.milliseconds())
        }
        if isBatch { runningBatch += jobs.count }
        return jobs
    }

    private func nextHandle() -> JobHandle {
        turn = (turn + 1) % loops.count
        return JobHandle(on: loops[turn])
    }

    // MARK: Running

    private func run(_ job: Job, on handle: JobHandle) async {
        let result = await handle.run(job)
        while await !settle(job, result) {
            // The disk is full, perhaps. Until it is not, the result is kept here.
            guard !core.status.isDraining else { break }
            try? await Task.sleep(for: .seconds(1))
        }
        running[job.sequence] = nil
        if job.kind == .batch { runningBatch -= 1 }
        signal.yield()
    }

    /// Ends the job or lets it wait. False when that could not be written.
    private func settle(_ job: Job, _ result: JobExecution.Result) async -> Bool {
        do {
            if case .failure(let error) = result.answer, let delay = error.retryDelay(job.attempts)
            {
                core.metrics.jobs[.postponed].increment()
                try await access.perform { storage in
                    try storage.release(
                        job: job.sequence, due: UnixClock.milliseconds() + delay)
                }
                return true
            }
            let ended = try await access.perform { storage in
                try storage.finish(
                    job: job.sequence, JobOutcome(result.answer),
                    storing: StoredResponse(job, result), now: UnixClock.milliseconds())
            }
            let outcome = JobOutcome(result.answer)
            core.metrics.jobs[!ended ? .cancelled : outcome.succeeded ? .succeeded : .failed]
                .increment()
            return true
        } catch {
            core.logger.error(
                "a job's result cannot be written",
                metadata: ["job": "\(job.id)", "reason": "\(error)"])
            return false
        }
    }

    // MARK: Ending

    private func endCancelled() async throws {
        guard !running.isEmpty else { return }
        let sequences = Array(running.keys)
        for sequence in try await access.perform({ try $0.cancelledJobs(among: sequences) }) {
            running[sequence]?.cancel()
        }
    }

    private func purge() async throws {
        let now = UnixClock.milliseconds()
        guard now - lastPurge >= Self.purgeIntervalMilliseconds else { return }
        let late = StoredAnswer.failure(
            APIError(.deadlineExceeded, "The batch's time was over before the request's turn."))
        let removed = try await access.perform { storage in
            try storage.purge(
                expired: JobOutcome(succeeded: false, result: late.encoded), now: now,
                limit: Self.purgeLimit)
        }
        // What is left is looked at in a moment, behind whoever waits to write.
        if removed < Self.purgeLimit { lastPurge = now }
    }
}

extension JobOutcome {
    init(_ answer: StoredAnswer) {
        var succeeded = true
        if case .failure = answer { succeeded = false }
        self.init(succeeded: succeeded, result: answer.encoded)
    }
}

extension APIError {
    private static let retryDelayMilliseconds: Int64 = 250
    private static let retryDelayLimitMilliseconds: Int64 = 30_000
    /// Times that a worker may fail a request before it is the request that fails.
    private static let workerFailures = 5

    /// How long a job that ended with this error waits for its next try, in milliseconds; nil when
    /// it would end so again.
    fileprivate func retryDelay(_ attempts: Int) -> Int64? {
        switch kind {
        // The gateway itself ends: at once, by the next one.
        case .draining: return 0
        case .queueFull, .waitTooLong, .noWorker, .workerLost, .rateLimited, .concurrencyLimited:
            break
        case .workerFailed:
            guard attempts < Self.workerFailures else { return nil }
        default: return nil
        }
        return min(
            Self.retryDelayLimitMilliseconds,
            Self.retryDelayMilliseconds << Int64(min(attempts, 10)))
    }
}

extension StoredResponse {
    /// What a job stores besides its result; nil for nothing.
    init?(_ job: Job, _ result: JobExecution.Result) {
        guard let request = result.request, request.isStored || job.kind == .background,
            case .completion(let completion) = result.answer
        else { return nil }
        self.init(
            id: completion.head.id, owner: job.owner, tier: job.tier, face: job.face,
            body: job.body, previousID: request.previousResponseID,
            completion: result.answer.encoded, createdMilliseconds: UnixClock.milliseconds())
    }
}
