import Foundation
import InferenceAPI
import NIOCore
import NIOPosix
import Storage

/// The way from loops and tasks to the storage: its calls block, so they run on threads of their
/// own.
struct StorageAccess: Sendable {
    /// Threads that wait for the disk. Writes go one after the other anyway.
    static let threads = 4

    let storage: any Storage
    let pool: NIOThreadPool
    /// Something is to be done for who runs jobs.
    let wake: @Sendable () -> Void

    /// For connection loops.
    func perform<Value: Sendable>(
        on eventLoop: any EventLoop,
        _ operation: @escaping @Sendable (any Storage) throws(APIError) -> Value
    ) -> EventLoopFuture<Result<Value, APIError>> {
        let storage = storage
        return pool.runIfActive(eventLoop: eventLoop) {
            Result { () throws(APIError) in try operation(storage) }
        }
        .flatMapErrorThrowing { _ in
            // It is shut down only when the gateway stops.
            .failure(APIError.shuttingDown)
        }
    }

    /// For the control path.
    func perform<Value: Sendable>(
        _ operation: @escaping @Sendable (any Storage) throws -> Value
    ) async throws -> Value {
        let storage = storage
        return try await pool.runIfActive { try operation(storage) }
    }
}

extension UnixClock {
    static func milliseconds() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
}

extension APIError {
    /// - Parameter thing: what was looked for, in words (`deferred completion`).
    init(_ error: StorageError, thing: String) {
        switch error {
        case .notFound: self.init(.resourceNotFound, "There is no such \(thing).")
        case .closed:
            self.init(.invalidValue, "The \(thing) was cancelled or its time is over.")
        case .duplicate(let name):
            self.init(.invalidValue, "'\(name.prefix(128))' is there already.")
        case .limitReached(.fileBytes, let most):
            self.init(.payloadTooLarge, "A file has at most \(most) bytes.")
        case .limitReached(let limit, let most):
            self.init(
                .rateLimited, "All \(most) \(limit.rawValue) that one key may have are taken.")
        case .failed:
            self.init(.internal, "The state of this gateway cannot be read or written.")
        }
    }
}

/// Runs a call of the storage for a client.
func kept<Value>(
    _ thing: String, _ operation: () throws(StorageError) -> Value
) throws(APIError) -> Value {
    do {
        return try operation()
    } catch {
        throw APIError(error, thing: thing)
    }
}
