import Collections
import InferenceTypes

/// Requests that wait for a slot: a line for each tenant of each tier, by what is due first.
struct WaitingQueue: Sendable {
    struct Item: Hashable, Comparable, Sendable {
        /// When it came, or earlier for the sake of its deadline; nanoseconds.
        var virtualArrival: Int64
        /// Order of submission; unique.
        var serial: UInt64
        /// Place in the scheduler's slab.
        var index: Int

        static func < (left: Item, right: Item) -> Bool {
            (left.virtualArrival, left.serial) < (right.virtualArrival, right.serial)
        }
    }

    /// By the tenant's place in `TenantShares`.
    private(set) var lines: [Deque<Item>] = []
    /// Tenants with a line, by tier, in no order that matters.
    private var backlogged: [[Int]] = Array(repeating: [], count: ServiceTier.allCases.count)
    private(set) var count = 0

    func isEmpty(_ tier: ServiceTier) -> Bool { backlogged[Int(tier.rawValue)].isEmpty }

    /// Who is next in a tier: of the tenant with the least virtual time, what is due first.
    func first(_ tier: ServiceTier, _ tenants: TenantShares) -> Item? {
        var best: (virtualTime: Int64, item: Item)?
        for tenant in backlogged[Int(tier.rawValue)] {
            let candidate = (virtualTime: tenants.virtualTime(tenant), item: lines[tenant][0])
            if let known = best,
                (known.virtualTime, known.item) < (candidate.virtualTime, candidate.item)
            {
                continue
            }
            best = candidate
        }
        return best?.item
    }

    mutating func insert(_ item: Item, tenant: Int, tier: ServiceTier) {
        while lines.count <= tenant { lines.append([]) }
        if lines[tenant].isEmpty { backlogged[Int(tier.rawValue)].append(tenant) }
        count += 1
        guard let last = lines[tenant].last, item < last else {
            lines[tenant].append(item)
            return
        }
        lines[tenant].insert(item, at: position(of: item, in: tenant))
    }

    /// Removes an item that is in the queue.
    mutating func remove(_ item: Item, tenant: Int, tier: ServiceTier) {
        let position = position(of: item, in: tenant)
        precondition(
            position < lines[tenant].count && lines[tenant][position] == item,
            "no such item: \(item)")
        lines[tenant].remove(at: position)
        count -= 1
        if lines[tenant].isEmpty { backlogged[Int(tier.rawValue)].removeAll { $0 == tenant } }
    }

    /// Index of the first item that is not before `item`.
    private func position(of item: Item, in tenant: Int) -> Int {
        var low = 0
        var high = lines[tenant].count
        while low < high {
            let middle = low + (high - low) / 2
            if lines[tenant][middle] < item { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
