import Admission
import Foundation
import InferenceAPI
import InferenceTypes
import Logging
import NIOPosix
import Storage
import Synchronization

/// Turns what loops and workers' journals say into rows of the ledger, several times a second, on a
/// thread of its own. Any thread may tell it something.
///
/// Locks: one for what was told, held for an append; one for the book, which only the meter's
/// thread takes.
final class UsageMeter: Sendable {
    private enum JournalMessage {
        case opened(endpoint: String, path: String)
        case closed(endpoint: String)
    }

    private struct State {
        var book = UsageBook()
        var reader: JournalReader
        /// What the ledger did not take yet.
        var unwritten: [UsageBook.Due] = []
        var lastPurge = Instant.zero
        var hasFailed = false
        /// Of a journal, as it was told last.
        var trouble: String?
    }

    /// How long a start waits for others' workers to end; those of another gateway that shares the
    /// directory do not.
    private static let patienceNanoseconds: Int64 = 3_000_000_000
    private static let lookMicroseconds: UInt32 = 20_000
    private static let purgeNanoseconds: Int64 = 60_000_000_000

    private let ledger: any UsageLedger
    private let settings: MeteringSettings
    private let logger: Logger
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let readers = NIOThreadPool(numberOfThreads: 1)
    private let state: Mutex<State>
    private let messages = Mutex<[UsageMessage]>([])
    private let journals = Mutex<[JournalMessage]>([])
    private let waiting = Atomic<Int>(0)
    private let isWorking = Atomic<Bool>(false)
    /// A struct, as generic code calls closures otherwise: one that is itself what a `Mutex` holds
    /// is wrapped anew with every look at it, and stays so.
    private struct Listener {
        /// Told what was recorded, and whose reserved budgets end. Called on the meter's thread.
        let recorded: @Sendable ([UsageTotal], [TicketID]) -> Void
    }
    private let listener = Mutex<Listener?>(nil)
    let prices: Mutex<PriceList>

    init(
        directory: String, ledger: any UsageLedger, settings: MeteringSettings, logger: Logger
    ) throws {
        self.ledger = ledger
        self.settings = settings
        self.logger = logger
        prices = Mutex(settings.prices)
        state = Mutex(State(reader: try JournalReader(directory: directory)))
        pool.start()
        readers.start()
    }

    /// More requests would leave no bound on what is not written yet.
    var isFull: Bool { waiting.load(ordering: .relaxed) >= settings.queueLimit }

    /// A worker process is about to be started, which writes that journal.
    func journalOpened(_ endpoint: String, path: String) {
        journals.withLock { $0.append(.opened(endpoint: endpoint, path: path)) }
    }

    /// It has exited.
    func journalClosed(_ endpoint: String) {
        journals.withLock { $0.append(.closed(endpoint: endpoint)) }
    }

    func tell(_ message: UsageMessage) {
        if case .ended = message { waiting.add(1, ordering: .relaxed) }
        messages.withLock { $0.append(message) }
    }

    /// Of a key of the file, or of one that is kept with its tenant.
    func budget(of principal: Principal) -> BudgetLimit {
        guard principal.keyBudget.isNone, principal.tenant == .builtIn else {
            return principal.keyBudget
        }
        return settings.keyBudgets[principal.keyName ?? ""] ?? .none
    }

    func price(model: String, tier: String) -> UsagePrice? {
        prices.withLock { $0.price(model: model, tier: tier) }
    }

    /// For operators. Beside the meter's own thread, which goes on writing.
    func answer(_ report: UsageReport) async throws -> [UInt8] {
        let ledger = ledger
        return try await readers.runIfActive { try report.answer(from: ledger) }
    }

    /// Called by a timer: a turn is left out while the last one takes longer.
    func workSoon() {
        guard
            isWorking.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged
        else { return }
        pool.submit { state in
            if case .active = state { self.work(now: MonotonicClock.now()) }
            self.isWorking.store(false, ordering: .relaxed)
        }
    }

    /// Control path, once, before anything is told: what earlier workers' journals have is
    /// recorded. Then `recorded` hears of what each key has used since ever, and of each row from
    /// then on.
    func start(
        _ recorded: @escaping @Sendable ([UsageTotal], [TicketID]) -> Void
    ) async throws {
        try await pool.runIfActive {
            let deadline = MonotonicClock.now().advanced(byNanoseconds: Self.patienceNanoseconds)
            self.work(now: MonotonicClock.now())
            // Workers of a gateway that was killed are about to end: what they still generate is
            // paid from budgets too.
            while self.state.withLock({ $0.reader.hasLocked }), MonotonicClock.now() < deadline {
                usleep(Self.lookMicroseconds)
                self.work(now: MonotonicClock.now())
            }
            recorded(try self.ledger.usageTotals(), [])
            self.listener.withLock { $0 = Listener(recorded: recorded) }
        }
    }

    /// Control path: all that was told before is recorded when it returns, but for requests that
    /// still run or wait for a journal.
    func settle() async throws {
        try await pool.runIfActive { self.work(now: MonotonicClock.now()) }
    }

    /// No worker runs any more. What is not certain yet never will be.
    func close() async throws {
        try await settle()
        try await pool.runIfActive {
            self.work(
                now: MonotonicClock.now().advanced(byNanoseconds: 2 * UsageBook.waitNanoseconds))
        }
        try await pool.shutdownGracefully()
        try await readers.shutdownGracefully()
    }

    /// Blocks.
    func work(now: Instant) {
        state.withLock { state in
            for message in takeJournals() {
                switch message {
                case .opened(let endpoint, let path):
                    state.book.journalOpened(endpoint)
                    state.reader.opened(endpoint, path: path)
                case .closed(let endpoint): state.reader.closed(endpoint)
                }
            }
            // Before the messages: what journals have of a request was preceded by its `began`.
            let readings = state.reader.read()
            if let trouble = state.reader.trouble, trouble != state.trouble {
                logger.error("a journal cannot be read", metadata: ["reason": "\(trouble)"])
            }
            state.trouble = state.reader.trouble
            let told = messages.withLock { messages in
                defer { messages.removeAll(keepingCapacity: true) }
                return messages
            }
            for message in told {
                switch message {
                case .began(let usageID): state.book.began(usageID)
                case .ended(let settlement): state.book.ended(settlement, now: now)
                }
            }
            for reading in readings {
                for record in reading.records { state.book.journal(record, of: reading.endpoint) }
                if reading.isOver { state.book.journalClosed(reading.endpoint) }
            }
            state.unwritten += state.book.due(
                now: now, timeMilliseconds: UnixClock.milliseconds()
            ) { price(model: $0, tier: $1) }
            write(&state)
            let late = messages.withLock { $0.count }
            waiting.store(state.unwritten.count + late, ordering: .relaxed)
            purge(&state, now: now)
        }
    }

    private func takeJournals() -> [JournalMessage] {
        journals.withLock { messages in
            defer { messages.removeAll() }
            return messages
        }
    }

    private func write(_ state: inout State) {
        do {
            let rows =
                state.unwritten.isEmpty
                ? [] : try ledger.record(state.unwritten.map(\.entry))
            let tickets = state.unwritten.flatMap(\.tickets)
            state.unwritten.removeAll(keepingCapacity: true)
            // Only now may a journal go.
            state.reader.settle()
            if !rows.isEmpty || !tickets.isEmpty {
                listener.withLock { $0 }?.recorded(rows.map { UsageTotal($0) }, tickets)
            }
            if state.hasFailed { logger.notice("usage is recorded again") }
            state.hasFailed = false
        } catch {
            if !state.hasFailed {
                logger.error("usage cannot be recorded", metadata: ["reason": "\(error)"])
            }
            state.hasFailed = true
        }
    }

    private func purge(_ state: inout State, now: Instant) {
        guard now.nanoseconds(since: state.lastPurge) > Self.purgeNanoseconds else { return }
        state.lastPurge = now
        state.reader.purge(
            before: Date(timeIntervalSinceNow: -Double(settings.journalHours) * 3_600))
    }
}

extension UsageTotal {
    fileprivate init(_ row: UsageRow) {
        let entry = row.entry
        self.init(
            tenant: entry.tenant, keyID: entry.keyID,
            tokens: Int64(entry.promptTokens + row.completionTokens + entry.reasoningTokens),
            ticks: row.ticks ?? 0)
    }
}

extension APIError {
    static let unrecordedUse = APIError(
        .queueFull, "Too much use is not recorded yet; try again later.")
}
