import Foundation
import InferenceTypes
import Scheduling
import Testing

@testable import Worker

@Suite struct EngineMailboxTests {
    private func submission(_ number: UInt64) -> EngineMail {
        .submit(
            SequenceKey(number),
            GenerationRequest(id: "r\(number)", prompt: [1], sampling: SamplingParameters()),
            deadline: nil)
    }

    private func take(
        _ mailbox: EngineMailbox, wait: EngineMailbox.Wait = .none, posted: [UInt64] = [0]
    ) -> (keys: [UInt64], isFull: Bool) {
        var mail: [EngineMail] = []
        let isFull = mailbox.take(
            into: &mail, wait: wait, posted: posted, report: EngineReport())
        let keys = mail.map { mail in
            switch mail {
            case .submit(let key, _, _, _), .cancel(let key), .pause(let key), .resume(let key):
                key.rawValue
            case .embed, .stop: UInt64.max
            }
        }
        return (keys, isFull)
    }

    @Test func keepsTheOrderOfArrival() {
        let mailbox = EngineMailbox(submissionsMax: 4, batchesMax: 1, loops: 1)
        #expect(mailbox.submit(submission(1)))
        mailbox.post(.cancel(SequenceKey(7)))
        #expect(mailbox.submit(submission(2)))
        mailbox.post(.stop)
        #expect(take(mailbox).keys == [1, 7, 2, .max])
        #expect(take(mailbox).keys == [])
    }

    @Test func refusesSubmissionsPastTheBoundButNothingElse() {
        let mailbox = EngineMailbox(submissionsMax: 2, batchesMax: 1, loops: 1)
        #expect(mailbox.submit(submission(1)))
        #expect(mailbox.submit(submission(2)))
        #expect(!mailbox.submit(submission(3)))
        mailbox.post(.cancel(SequenceKey(1)))
        #expect(take(mailbox).keys == [1, 2, 1])
        #expect(mailbox.submit(submission(4)))
    }

    @Test func outputIsFullUntilTheLoopAcknowledges() {
        let mailbox = EngineMailbox(submissionsMax: 1, batchesMax: 2, loops: 2)
        #expect(!take(mailbox, posted: [1, 0]).isFull)
        #expect(take(mailbox, posted: [1, 2]).isFull)
        mailbox.acknowledge(loop: 0)
        #expect(take(mailbox, posted: [1, 2]).isFull)
        mailbox.acknowledge(loop: 1)
        #expect(!take(mailbox, posted: [1, 2]).isFull)
    }

    @Test func mailWakesTheSleeper() async {
        let mailbox = EngineMailbox(submissionsMax: 1, batchesMax: 1, loops: 1)
        let keys = await onThread {
            take(mailbox, wait: .mail(timeoutSeconds: nil)).keys
        } while: {
            mailbox.post(.cancel(SequenceKey(5)))
        }
        #expect(keys == [5])
    }

    @Test func acknowledgementWakesTheSleeper() async {
        let mailbox = EngineMailbox(submissionsMax: 1, batchesMax: 1, loops: 1)
        let isFull = await onThread {
            take(mailbox, wait: .mailOrOutput, posted: [1]).isFull
        } while: {
            mailbox.acknowledge(loop: 0)
        }
        #expect(!isFull)
    }

    @Test func theWaitEndsByItself() {
        let mailbox = EngineMailbox(submissionsMax: 1, batchesMax: 1, loops: 1)
        #expect(take(mailbox, wait: .mail(timeoutSeconds: 0.001)).keys == [])
    }

    @Test func publishesTheReport() {
        let mailbox = EngineMailbox(submissionsMax: 1, batchesMax: 1, loops: 1)
        var report = EngineReport()
        report.load.running = 3
        var mail: [EngineMail] = []
        _ = mailbox.take(into: &mail, wait: .none, posted: [0], report: report)
        #expect(mailbox.report.load.running == 3)
    }

    @Test func keysCarryLoopGenerationAndSlot() {
        let key = SequenceKey(loop: 255, generation: .max, slot: SequenceKey.slotsMax - 1)
        #expect(key.loop == 255)
        #expect(key.generation == .max)
        #expect(key.slot == SequenceKey.slotsMax - 1)
        let other = SequenceKey(loop: 1, generation: 2, slot: 3)
        #expect(other.loop == 1 && other.generation == 2 && other.slot == 3)
    }
}

/// Runs blocking `body` on a thread of its own while `act` runs here.
private func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () -> Value, while act: @Sendable () -> Void
) async -> Value {
    async let value = withUnsafeContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: body()) }
    }
    act()
    return await value
}
