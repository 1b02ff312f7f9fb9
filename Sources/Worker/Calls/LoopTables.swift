import NIOCore

/// One call table per event loop of a worker. Immutable; each table is touched on its loop only.
struct LoopTables: Sendable {
    private let loops: [any EventLoop]
    private let tables: [NIOLoopBound<CallTable>]

    /// Makes the tables, each on its loop.
    init(loops: [any EventLoop], make: @escaping @Sendable (Int) -> CallTable) async {
        self.loops = loops
        var tables: [NIOLoopBound<CallTable>] = []
        for (index, loop) in loops.enumerated() {
            tables.append(
                await withCheckedContinuation { continuation in
                    loop.execute {
                        continuation.resume(
                            returning: NIOLoopBound(make(index), eventLoop: loop))
                    }
                })
        }
        self.tables = tables
    }

    /// Runs `body` on one loop, some time later.
    func execute(on loop: Int, _ body: @escaping @Sendable (CallTable) -> Void) {
        let table = tables[loop]
        loops[loop].execute { body(table.value) }
    }

    /// The first loop: what it puts on the others is done when `settle` returns.
    var first: any EventLoop { loops[0] }

    /// The table of the loop that the caller runs on. A worker has few loops.
    func here(_ loop: any EventLoop) -> CallTable {
        for index in loops.indices where loops[index] === loop { return tables[index].value }
        preconditionFailure("a call on a foreign event loop")
    }

    /// Runs `body` on each table's loop, some time later.
    func forEach(_ body: @escaping @Sendable (CallTable) -> Void) {
        for (loop, table) in zip(loops, tables) { loop.execute { body(table.value) } }
    }

    /// Returns when everything that was put on the loops before has been done, and what that put
    /// on later loops.
    func settle() async {
        for loop in loops {
            await withCheckedContinuation { continuation in
                loop.execute { continuation.resume() }
            }
        }
    }
}
