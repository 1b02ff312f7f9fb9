import InferenceAPI
import NIOCore
import Storage

/// A file on its way into the storage: parts are written one after the other, and whoever sends is
/// asked to wait while too much is on its way. Owned by the connection's loop.
final class FileUpload {
    /// Bytes of a part in the storage, but for the last one.
    private static let partBytes = 256 << 10
    /// Bytes that may wait to be written.
    private static let waitingLimitBytes = 1 << 20

    let id: String
    private let storage: StorageAccess
    private let eventLoop: any EventLoop
    private var part: [UInt8] = []
    private var waiting = 0
    /// Everything before.
    private var last: EventLoopFuture<Result<Void, APIError>>
    /// Called when more is wanted, after `isReady` was false.
    var whenReady: (() -> Void)?
    /// The first thing that went wrong.
    private(set) var failure: APIError?

    /// - Parameter file: its name and purpose may come later, with `finish`.
    init(_ file: StoredFile, storage: StorageAccess, eventLoop: any EventLoop) {
        id = file.id
        self.storage = storage
        self.eventLoop = eventLoop
        last = storage.perform(on: eventLoop) { storage throws(APIError) in
            try kept("file") { () throws(StorageError) in try storage.beginFile(file) }
        }
        note(last, bytes: 0)
    }

    /// Whether more should come.
    var isReady: Bool { waiting < Self.waitingLimitBytes }

    func append(_ bytes: [UInt8]) {
        part += bytes
        if part.count >= Self.partBytes { writePart() }
    }

    private func writePart() {
        guard !part.isEmpty, failure == nil else { return }
        let bytes = part
        part = []
        waiting += bytes.count
        let id = id
        let storage = storage
        let eventLoop = eventLoop
        last = last.flatMap { result in
            guard case .success = result else { return eventLoop.makeSucceededFuture(result) }
            return storage.perform(on: eventLoop) { storage throws(APIError) in
                try kept("file") { () throws(StorageError) in
                    try storage.append(bytes, toFile: id)
                }
            }
        }
        note(last, bytes: bytes.count)
    }

    private func note(_ future: EventLoopFuture<Result<Void, APIError>>, bytes: Int) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        future.whenSuccess { result in bound.value.written(bytes, result) }
    }

    private func written(_ bytes: Int, _ result: Result<Void, APIError>) {
        waiting -= bytes
        if case .failure(let error) = result, failure == nil { failure = error }
        if isReady { whenReady?() }
    }

    /// All of it has come.
    func finish(
        name: String, purpose: String, expiresMilliseconds: Int64?
    ) -> EventLoopFuture<Result<StoredFile, APIError>> {
        writePart()
        whenReady = nil
        let id = id
        let storage = storage
        let eventLoop = eventLoop
        return last.flatMap { result in
            if case .failure(let error) = result {
                return eventLoop.makeSucceededFuture(.failure(error))
            }
            return storage.perform(on: eventLoop) { storage throws(APIError) in
                try kept("file") { () throws(StorageError) in
                    try storage.finishFile(
                        id, name: name, purpose: purpose, expires: expiresMilliseconds)
                }
            }
        }
    }

    /// The rest will not come.
    func abandon() {
        whenReady = nil
        part = []
        let id = id
        let storage = storage
        let eventLoop = eventLoop
        last = last.flatMap { _ in
            storage.perform(on: eventLoop) { storage throws(APIError) in
                try kept("file") { () throws(StorageError) in try storage.abandonFile(id) }
            }
        }
    }
}
