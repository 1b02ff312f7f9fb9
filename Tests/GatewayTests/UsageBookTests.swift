import EngineProtocol
import InferenceTypes
import Storage
import Testing

@testable import Gateway

@Suite struct UsageBookTests {
    private static let worker = "unix:/w0"

    private static func begin(
        _ id: String, choice: Int = 0, choices: Int = 1, ordinal: UInt64 = 1, base: Int = 0,
        attempt: Int = 0, prompt: Int = 50, cached: Int = 0
    ) -> JournalRecord {
        .begin(
            JournalBegin(
                ordinal: ordinal,
                usage: UsageIdentity(
                    id: id, choice: choice, choicesPerPrompt: choices, application: "app",
                    keyID: "key"),
                requestID: "my-7-\(choice)" + (attempt > 0 ? "-\(attempt)" : ""), tenant: "acme",
                tier: .batch, model: "m", promptTokens: prompt, cachedTokens: cached, base: base))
    }

    private static func settlement(
        _ id: String, _ positions: [Int], unsettled: [String] = [], prompts: [Int] = [50],
        perPrompt: Int = 1
    ) -> UsageSettlement {
        var entry = UsageEntry(
            usageID: id, requestID: "my-7", timeMilliseconds: 1, tenant: "acme", keyID: "key",
            model: "m", tier: "batch")
        entry.positions = positions
        return UsageSettlement(
            entry: entry, prompts: prompts, choicesPerPrompt: perPrompt,
            unsettled: unsettled.map { UsageAttempt(requestID: $0, endpoint: worker) })
    }

    private func due(_ book: inout UsageBook, after seconds: Double = 0) -> [UsageEntry] {
        book.due(now: Instant(nanoseconds: Int64(seconds * 1e9)), timeMilliseconds: 9) { _, _ in nil
        }.map(\.entry)
    }

    @Test func aRequestWhoseWorkersSaidHowItEndedIsSettledAtOnce() {
        var book = UsageBook()
        book.journalOpened(Self.worker)
        book.began("u")
        #expect(due(&book).isEmpty)
        book.ended(Self.settlement("u", [4]), now: .zero)
        let entries = due(&book)
        #expect(entries.map(\.positions) == [[4]] && entries.map(\.promptTokens) == [50])
        #expect(book.count == 0)
        #expect(due(&book).isEmpty)
    }

    @Test func aCancelledRequestWaitsForItsJournal() {
        var book = UsageBook()
        book.journalOpened(Self.worker)
        book.began("u")
        book.journal(Self.begin("u"), of: Self.worker)
        book.journal(.tokens(ordinal: 1, positions: 5), of: Self.worker)
        book.ended(Self.settlement("u", [4], unsettled: ["my-7-0"]), now: .zero)
        #expect(due(&book).isEmpty)
        book.journal(.tokens(ordinal: 1, positions: 6), of: Self.worker)
        book.journal(.end(ordinal: 1, reason: .cancelled), of: Self.worker)
        let entries = due(&book)
        #expect(entries.map(\.positions) == [[6]])
        #expect(entries.map(\.undeliveredTokens) == [2])
    }

    @Test func aDeadWorkerNeedsNoEnd() {
        var book = UsageBook()
        book.journalOpened(Self.worker)
        book.began("u")
        book.journal(Self.begin("u"), of: Self.worker)
        book.journal(.tokens(ordinal: 1, positions: 7), of: Self.worker)
        book.ended(Self.settlement("u", [4], unsettled: ["my-7-0"]), now: .zero)
        book.journalClosed(Self.worker)
        #expect(due(&book).map(\.positions) == [[7]])
    }

    @Test func aWorkerWithoutAJournalIsBelieved() {
        var book = UsageBook()
        book.began("u")
        book.ended(Self.settlement("u", [4], unsettled: ["my-7-0"]), now: .zero)
        #expect(due(&book).map(\.positions) == [[4]])
    }

    @Test func whatAJournalNeverSaysIsWaitedForSoLong() {
        var book = UsageBook()
        book.journalOpened(Self.worker)
        book.began("u")
        book.ended(Self.settlement("u", [4], unsettled: ["my-7-0"]), now: .zero)
        #expect(due(&book, after: 4.9).isEmpty)
        #expect(due(&book, after: 5).map(\.positions) == [[4]])
    }

    @Test func anAnswerThatWentOnElsewhereCountsEachPositionOnce() {
        var book = UsageBook()
        let second = "unix:/w1"
        for worker in [Self.worker, second] { book.journalOpened(worker) }
        book.began("u")
        book.journal(Self.begin("u"), of: Self.worker)
        book.journal(.tokens(ordinal: 1, positions: 9), of: Self.worker)
        // Four of them had been accepted; a stop string ends the answer early.
        book.journal(Self.begin("u", base: 4, attempt: 1), of: second)
        book.journal(.tokens(ordinal: 1, positions: 6), of: second)
        book.journal(.end(ordinal: 1, reason: .finished), of: second)
        book.journalClosed(Self.worker)
        book.ended(Self.settlement("u", [6], unsettled: ["my-7-0"]), now: .zero)
        #expect(due(&book).map(\.positions) == [[9]])
    }

    @Test func whatNobodyHereRunsIsRecordedAsTheJournalHasIt() {
        var book = UsageBook()
        for (choice, ordinal) in [(0, UInt64(1)), (1, 2), (2, 3), (3, 4)] {
            book.journal(
                Self.begin("old", choice: choice, choices: 2, ordinal: ordinal, cached: 10),
                of: "file")
        }
        book.journal(.tokens(ordinal: 1, positions: 3), of: "file")
        book.journal(.tokens(ordinal: 2, positions: 5), of: "file")
        book.journal(.tokens(ordinal: 4, positions: 2), of: "file")
        book.journal(
            Self.begin("old", choice: 3, choices: 2, ordinal: 5, base: 2, attempt: 1, cached: 52),
            of: "file")
        book.journal(.tokens(ordinal: 5, positions: 4), of: "file")
        #expect(due(&book).isEmpty)
        book.journalClosed("file")
        let entries = due(&book)
        #expect(entries.count == 1)
        #expect(entries[0].positions == [3, 5, 0, 4])
        #expect(entries[0].promptTokens == 100 && entries[0].cachedTokens == 20)
        #expect(entries[0].requestID == "my-7" && entries[0].tenant == "acme")
        #expect(entries[0].tier == "batch" && entries[0].finishReason == "interrupted")
    }

    @Test func onlyPromptsThatGotATokenAreBilled() {
        var book = UsageBook()
        book.began("u")
        book.ended(
            Self.settlement("u", [0, 0, 0, 2], prompts: [10, 20], perPrompt: 2), now: .zero)
        #expect(due(&book).map(\.promptTokens) == [20])
    }

    @Test func aRequestThatIsRunAgainIsOneRequest() {
        var book = UsageBook()
        book.began("job")
        book.ended(Self.settlement("job", [8]), now: .zero)
        book.began("job")
        #expect(due(&book).isEmpty)
        book.ended(Self.settlement("job", [5]), now: .zero)
        #expect(due(&book).map(\.positions) == [[8]])
    }
}
