import InferenceTypes
import NIOConcurrencyHelpers
import Scheduling

/// The way from the event loops to the engine thread: bounded mail in, acknowledgements of output,
/// and the engine's latest report for whoever asks.
///
/// A lock with a condition, held for a few instructions: the engine thread must sleep while idle,
/// and be woken by whichever loop has mail. Only submissions count against the bound; cancels,
/// pauses and resumes never exceed what the submitted requests can cause and must not be lost.
///
/// `@unchecked Sendable`: every access to `state` happens between `condition`'s lock and unlock.
final class EngineMailbox: @unchecked Sendable {
    /// What the engine thread waits for when it has no step to run.
    enum Wait {
        case none
        /// Until there is mail, or `timeoutSeconds` have passed when given.
        case mail(timeoutSeconds: Double?)
        /// Until there is mail or a loop has caught up with the engine's output.
        case mailOrOutput
    }

    private struct State {
        var mail: [EngineMail] = []
        var submissions = 0
        /// Batches that each loop has worked off since the start.
        var applied: [UInt64]
        /// Batches that the engine had posted when it last looked.
        var posted: [UInt64]
        var waitsForMail = false
        var waitsForOutput = false
        var report = EngineReport()
    }

    /// Submissions that may wait for the engine to take them.
    let submissionsMax: Int
    /// Batches of output that may be on their way to one loop.
    let batchesMax: UInt64
    /// True: the engine has reason to wake.
    private let condition = ConditionLock(value: false)
    private var state: State

    /// Both limits are at least 1.
    init(submissionsMax: Int, batchesMax: Int, loops: Int) {
        self.submissionsMax = submissionsMax
        self.batchesMax = UInt64(batchesMax)
        let zeros = [UInt64](repeating: 0, count: loops)
        state = State(applied: zeros, posted: zeros)
        state.mail.reserveCapacity(submissionsMax)
    }

    // MARK: Event loops

    /// Hands a request over; false when the bound is reached and nothing was done.
    func submit(_ mail: EngineMail) -> Bool {
        condition.lock()
        guard state.submissions < submissionsMax else {
            condition.unlock()
            return false
        }
        state.submissions += 1
        append(mail)
        return true
    }

    /// Leaves a message that is never refused.
    func post(_ mail: EngineMail) {
        condition.lock()
        append(mail)
    }

    /// One batch of output has been worked off by loop `loop`.
    func acknowledge(loop: Int) {
        condition.lock()
        state.applied[loop] += 1
        guard state.waitsForOutput, !isOutputFull else { return condition.unlock() }
        wake()
    }

    /// Says that the engine thread begins a step, and how long that should take.
    func stepBegins(at instant: Instant, predictedNanoseconds: Int64) {
        condition.lock()
        defer { condition.unlock() }
        state.report.instant = instant
        state.report.predictedNanoseconds = predictedNanoseconds
    }

    /// The engine's state as of its latest step.
    var report: EngineReport {
        condition.lock()
        defer { condition.unlock() }
        return state.report
    }

    // MARK: The engine thread

    /// Takes all mail in order of arrival into `mail`, which is emptied first, waiting for it when
    /// asked to, and publishes `report`. Returns whether a loop has `batchesMax` batches to work
    /// off, in which case the engine must not produce more.
    func take(
        into mail: inout [EngineMail], wait: Wait, posted: [UInt64], report: EngineReport
    ) -> Bool {
        mail.removeAll(keepingCapacity: true)
        condition.lock()
        state.report = report
        for loop in posted.indices { state.posted[loop] = posted[loop] }
        if state.mail.isEmpty {
            switch wait {
            case .none: break
            case .mail(let timeoutSeconds): sleep(timeoutSeconds: timeoutSeconds)
            case .mailOrOutput:
                if isOutputFull {
                    state.waitsForOutput = true
                    sleep(timeoutSeconds: nil)
                }
            }
        }
        swap(&mail, &state.mail)
        state.submissions = 0
        let isFull = isOutputFull
        condition.unlock()
        return isFull
    }

    // MARK: Under the lock

    private var isOutputFull: Bool {
        for loop in state.posted.indices
        where state.posted[loop] - state.applied[loop] >= batchesMax {
            return true
        }
        return false
    }

    /// Releases the lock.
    private func append(_ mail: EngineMail) {
        state.mail.append(mail)
        if state.waitsForMail { wake() } else { condition.unlock() }
    }

    /// Releases the lock.
    private func wake() {
        state.waitsForMail = false
        state.waitsForOutput = false
        condition.unlock(withValue: true)
    }

    /// Gives the lock up meanwhile and has it again afterwards.
    private func sleep(timeoutSeconds: Double?) {
        state.waitsForMail = true
        condition.unlock(withValue: false)
        if let timeoutSeconds {
            if !condition.lock(whenValue: true, timeoutSeconds: timeoutSeconds) {
                condition.lock()
            }
        } else {
            condition.lock(whenValue: true)
        }
        state.waitsForMail = false
        state.waitsForOutput = false
    }
}
