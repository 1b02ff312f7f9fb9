/// Where workers of a pool come from, as far as it can be asked. Supervised workers and those that
/// register at run time announce themselves instead.
protocol WorkerDiscovery: Sendable {
    /// For logs.
    var name: String { get }

    /// Runs until its task is cancelled, or nothing can change any more. Reports the full set as
    /// soon as it is known and whenever it changes; what it cannot find out leaves the last one
    /// standing. An empty set is a report like any other.
    func run(_ report: @escaping @Sendable ([WorkerSettings]) -> Void) async
}

/// Workers that the configuration lists.
struct ListedWorkers: WorkerDiscovery {
    let workers: [WorkerSettings]
    var name: String { "list" }

    func run(_ report: @escaping @Sendable ([WorkerSettings]) -> Void) async {
        report(workers)
    }
}
