import InferenceTypes
import Testing

@testable import Routing

private func machine(retries: Int = 2, resumes: Int = 3, busy: Int = 2) -> ChoiceFailover {
    ChoiceFailover(
        limits: FailoverLimits(
            retryLimit: retries, resumeLimit: resumes, busyLimit: busy,
            backoff: Backoff(jitter: 0)),
        seed: 1)
}

/// A choice that runs and has accepted some tokens.
private func running(tokens: Int = 0) -> ChoiceFailover {
    var choice = machine()
    _ = choice.granted()
    if tokens > 0 { _ = choice.received(tokens: tokens) }
    return choice
}

@Suite struct ChoiceFailoverTests {
    @Test func goesOnBehindWhatWasAccepted() {
        var choice = running(tokens: 7)
        let action = choice.lost(.lost, over: nil)
        #expect(
            action == .retry(.init(isResumed: true, waitNanoseconds: 0, needsBudget: false)))
        let start = choice.granted()
        #expect(start == .init(attempt: 1, resumedTokens: 7))
    }

    @Test func aLostCallIsNeverHeardAgain() {
        var choice = running(tokens: 3)
        _ = choice.lost(.lost, over: nil)
        let (tokens, finish, loss) = (
            choice.received(tokens: 1), choice.finished(), choice.lost(.failed, over: nil)
        )
        #expect(!tokens && !finish && loss == .none)
        #expect(choice.acceptedTokens == 3)
    }

    @Test func aCompleteAnswerIsFinishedAndNotRepeated() {
        var (choice, moved) = (running(tokens: 3), running(tokens: 3))
        let (loss, eviction) = (
            choice.lost(.lost, over: .maxTokens), moved.evicted(over: .endOfSequence)
        )
        #expect(loss == .finish(.maxTokens))
        #expect(eviction == .finish(.endOfSequence))
        #expect(choice.state == .ended && moved.state == .ended)
    }

    @Test(arguments: [WorkerFault.rejected, .abandoned, .contextFull])
    func whatAnotherWorkerWouldSayTooFails(fault: WorkerFault) {
        var choice = running()
        let action = choice.lost(fault, over: nil)
        #expect(action == .fail && choice.state == .ended)
    }

    @Test func anAnswerThatOutgrewTheContextIsFull() {
        var choice = running(tokens: 5)
        let action = choice.lost(.contextFull, over: nil)
        #expect(action == .finish(.contextFull))
    }

    @Test func workersThatBringNothingAreTriedSoOften() {
        var choice = machine(retries: 2)
        var waits: [Int64] = []
        while choice.granted() != nil {
            if case .retry(let retry) = choice.lost(.lost, over: nil) {
                waits.append(retry.waitNanoseconds)
            }
        }
        #expect(choice.attempts == 3 && waits == [0, 50_000_000])
    }

    @Test func aFailedCallWaitsAndNeedsTheBudget() {
        var choice = running()
        let action = choice.lost(.failed, over: nil)
        #expect(
            action
                == .retry(
                    .init(isResumed: false, waitNanoseconds: 50_000_000, needsBudget: true)))
        let denied = choice.retryDenied()
        let again = choice.retryDenied()
        #expect(denied && !again && choice.granted() == nil)
    }

    @Test func tokensMakeARetryFruitfulButResumesAreCounted() {
        var choice = machine(retries: 1, resumes: 3)
        var losses = 0
        while choice.granted() != nil {
            _ = choice.received(tokens: 1)
            _ = choice.lost(.lost, over: nil)
            losses += 1
        }
        #expect(losses == 4 && choice.resumes == 3)
    }

    @Test func aFullWorkerCountsNeitherAsLossNorAsFailure() {
        var choice = machine(retries: 0, busy: 2)
        for _ in 0..<2 {
            _ = choice.granted()
            let action = choice.lost(.busy, over: nil)
            #expect(
                action
                    == .retry(.init(isResumed: false, waitNanoseconds: 0, needsBudget: false)))
        }
        _ = choice.granted()
        let last = choice.lost(.busy, over: nil)
        #expect(last == .fail)
    }

    @Test func endsOnce() {
        var choice = running()
        let (first, second) = (choice.end(), choice.end())
        #expect(first && !second)
        #expect(choice.granted() == nil)
    }
}

@Suite struct BackoffTests {
    @Test func growsToItsLimit() {
        let backoff = Backoff(jitter: 0)
        let waits = [1, 2, 3, 12, 13, 1_000].map { backoff.nanoseconds(retry: $0, seed: 0) }
        #expect(waits[..<3] == [50_000_000, 75_000_000, 112_500_000])
        #expect(waits[3] < 5_000_000_000 && waits[4...] == [5_000_000_000, 5_000_000_000])
    }

    @Test func jitterStaysWithinItsShareAndIsRepeatable() {
        let backoff = Backoff()
        let waits = (0..<1_000).map { backoff.nanoseconds(retry: 1, seed: $0) }
        #expect(waits.allSatisfy { (40_000_000...60_000_000).contains($0) })
        #expect(Set(waits).count > 900)
        #expect(waits == (0..<1_000).map { backoff.nanoseconds(retry: 1, seed: $0) })
    }
}
