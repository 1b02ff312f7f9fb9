import Admission
import InferenceTypes

/// What the dispatchers of all pools share. Owned by their loop.
final class DispatcherCommons {
    /// Of keys and tenants, whichever pool their requests go to.
    var limits = LimitBook()
    /// Of tenants and keys.
    var budgets: BudgetBook
    private var lastWorker: UInt32 = 0

    init(leaseTokens: Int = MeteringSettings().leaseTokens) {
        budgets = BudgetBook(leaseTokens: leaseTokens)
    }

    /// Numbers the workers of all pools, so that each number means one worker for as long as the
    /// gateway runs.
    func nextWorker() -> WorkerID {
        defer { lastWorker += 1 }
        return WorkerID(number: lastWorker)
    }
}
