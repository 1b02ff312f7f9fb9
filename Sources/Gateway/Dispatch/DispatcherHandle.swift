import NIOCore

/// The dispatcher as other threads see it: fire and forget.
struct DispatcherHandle: Sendable {
    private let loop: any EventLoop
    private let dispatcher: NIOLoopBoundBox<Dispatcher?>

    init(loop: any EventLoop) {
        self.loop = loop
        self.dispatcher = NIOLoopBoundBox.makeEmptyBox(valueType: Dispatcher.self, eventLoop: loop)
    }

    /// Called once, before anything else: the dispatcher is made on its loop.
    func install(_ make: @escaping @Sendable () -> Dispatcher) {
        loop.execute { dispatcher.value = make() }
    }

    /// Runs on the dispatcher's loop, in order of the calls from one thread.
    func perform(_ operation: @escaping @Sendable (Dispatcher) -> Void) {
        loop.execute {
            guard let dispatcher = dispatcher.value else { return }
            operation(dispatcher)
        }
    }

    /// Control path only: returns when everything that was put on the loop before has been done.
    func settle() async {
        // Fails only on a loop that has ended, where nothing is left to be done.
        try? await loop.submit {}.get()
    }

    /// Control path only: awaits the operation's answer.
    func ask<Answer: Sendable>(
        _ operation: @escaping @Sendable (Dispatcher) -> Answer
    ) async throws -> Answer {
        try await loop.submit {
            guard let dispatcher = dispatcher.value else { throw CancellationError() }
            return operation(dispatcher)
        }.get()
    }
}
