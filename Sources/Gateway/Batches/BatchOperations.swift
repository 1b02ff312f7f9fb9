import InferenceAPI
import NIOCore
import Storage

/// What clients do with batches, whatever their face. Every call blocks.
struct BatchOperations {
    private static let thing = "batch"

    let storage: any Storage
    let owner: Owner
    /// Largest line of a file of requests.
    let bodyLimitBytes: Int

    func create(name: String, inputFileID: String?) throws(APIError) -> Batch {
        let now = UnixClock.milliseconds()
        let requests = try inputFileID.map { id throws(APIError) in try self.requests(of: id) }
        let batch = Batch(
            id: Identifier.batch(), owner: owner, name: name, inputFileID: inputFileID,
            createdMilliseconds: now,
            expiresMilliseconds: now + Int64(storage.limits.batchSeconds) * 1_000)
        return try kept(Self.thing) { () throws(StorageError) in
            try storage.create(batch, requests: requests ?? [])
            return try storage.batch(batch.id, of: owner)
        }
    }

    func add(_ requests: [NewBatchRequest], to id: String) throws(APIError) {
        try kept(Self.thing) { () throws(StorageError) in
            try storage.add(requests, to: id, of: owner, now: UnixClock.milliseconds())
        }
    }

    func batch(_ id: String) throws(APIError) -> Batch {
        try kept(Self.thing) { () throws(StorageError) in try storage.batch(id, of: owner) }
    }

    func list(_ page: PageRequest) throws(APIError) -> Page<Batch> {
        try kept(Self.thing) { () throws(StorageError) in
            try storage.batches(of: owner, before: page.position, limit: page.limit)
        }
    }

    func cancel(_ id: String) throws(APIError) -> Batch {
        try kept(Self.thing) { () throws(StorageError) in
            try storage.cancelBatch(id, of: owner, now: UnixClock.milliseconds())
            return try storage.batch(id, of: owner)
        }
    }

    /// - Parameter isFinal: only requests that have ended.
    func requests(
        of id: String, isFinal: Bool, _ page: PageRequest
    ) throws(APIError) -> Page<Job> {
        try kept(Self.thing) { () throws(StorageError) in
            try storage.requests(
                ofBatch: id, of: owner, isFinal: isFinal, after: page.position, limit: page.limit)
        }
    }

    func request(_ name: String, of id: String) throws(APIError) -> Job {
        try kept("batch request") { () throws(StorageError) in
            try storage.request(named: name, ofBatch: id, of: owner)
        }
    }

    // MARK: Requests

    /// What a REST client sent as a request of a batch.
    static func request(_ item: BatchItem) throws(APIError) -> NewBatchRequest {
        guard let face = Faces.at(item.url) else {
            throw APIError(
                .unsupported, "'\(item.url.prefix(128))' is no endpoint of batches.",
                parameter: "url")
        }
        let id = Identifier.batchRequest()
        return NewBatchRequest(
            id: id, name: item.name ?? id, face: face.name, body: item.body, model: item.model)
    }

    /// The lines of a file.
    private func requests(of file: String) throws(APIError) -> [NewBatchRequest] {
        let found = try kept("file") { () throws(StorageError) in
            try storage.file(file, of: owner)
        }
        var requests: [NewBatchRequest] = []
        var number = 0
        var line: [UInt8] = []
        var part = 0
        while true {
            let bytes = try kept("file") { () throws(StorageError) in
                try storage.content(ofFile: found.id, part: part)
            }
            part += 1
            guard let bytes else { break }
            for piece in bytes.split(
                separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
            ).enumerated() {
                if piece.offset > 0 {
                    number += 1
                    try take(&line, number, &requests)
                }
                line += piece.element
                guard line.count <= bodyLimitBytes else {
                    throw Self.refusal("It has more than \(bodyLimitBytes) bytes.", number + 1)
                }
            }
        }
        try take(&line, number + 1, &requests)
        guard !requests.isEmpty else {
            throw APIError(.invalidValue, "The file has no requests.", parameter: "input_file_id")
        }
        return requests
    }

    private func take(
        _ line: inout [UInt8], _ number: Int, _ requests: inout [NewBatchRequest]
    ) throws(APIError) {
        defer { line.removeAll(keepingCapacity: true) }
        // White space alone.
        guard line.contains(where: { $0 > 32 }) else { return }
        guard requests.count < storage.limits.batchRequests else {
            throw APIError(.limitReached(.batchRequests, storage.limits.batchRequests), thing: "")
        }
        do throws(APIError) {
            requests.append(try Self.request(BatchBodies.line(ByteBuffer(bytes: line))))
        } catch {
            throw Self.refusal(error.message, number)
        }
    }

    private static func refusal(_ message: String, _ line: Int) -> APIError {
        APIError(
            .invalidValue, "Line \(line) of the file: \(message)", parameter: "input_file_id")
    }
}

extension BatchDescription {
    init(_ batch: Batch) {
        func text(_ milliseconds: Int64) -> String { Timestamp.text(Int(milliseconds / 1_000)) }
        self.init(
            id: batch.id, name: batch.name, created: text(batch.createdMilliseconds),
            expires: text(batch.expiresMilliseconds), keyID: batch.owner.keyID)
        cancelled = batch.cancelledMilliseconds.map(text)
        inputFileID = batch.inputFileID
        pending = batch.counts.pending
        succeeded = batch.counts.succeeded
        failed = batch.counts.failed
        cancelledRequests = batch.counts.cancelled
    }
}

extension BatchRequestDescription {
    init(_ job: Job) {
        func text(_ milliseconds: Int64) -> String { Timestamp.text(Int(milliseconds / 1_000)) }
        let state: State =
            switch job.state {
            case .pending, .running: .pending
            case .succeeded: .succeeded
            case .failed: .failed
            case .cancelled: .cancelled
            }
        self.init(
            id: job.name ?? job.id, endpoint: Faces.path(of: job.face), model: job.model,
            state: state, created: text(job.createdMilliseconds),
            finished: job.finishedMilliseconds.map(text))
    }
}

extension Job {
    /// Of a request that has ended, cancelled ones included.
    var finalAnswer: StoredAnswer {
        get throws(APIError) {
            try answer ?? .failure(APIError(.clientClosed, "The request was cancelled."))
        }
    }
}
