import GRPC
import InferenceAPI
import NIOCore
import Storage
import SwiftProtobuf
import XAIProto

extension GRPCMethods {
    mutating func addFiles() {
        add("Files/UploadFile") { call, caller throws(APIError) in
            try caller.refuseWhileDraining()
            return UploadCall(call, caller, try caller.keptState())
        }
        add("Files/RetrieveFileContent") { call, caller throws(APIError) in
            ContentCall(call, caller, try caller.keptState())
        }
        add("Files/ListFiles", future: Self.listFiles)
        add("Files/RetrieveFile") {
            (request: XaiApi_RetrieveFileRequest, caller) throws(APIError)
                -> EventLoopFuture<Result<XaiApi_File, APIError>> in
            let owner = caller.owner
            return try caller.look { storage throws(APIError) in
                XaiApi_File(
                    try kept("file") { () throws(StorageError) in
                        try storage.file(request.fileID, of: owner)
                    })
            }
        }
        add("Files/DeleteFile") {
            (request: XaiApi_DeleteFileRequest, caller) throws(APIError)
                -> EventLoopFuture<Result<XaiApi_DeleteFileResponse, APIError>> in
            let owner = caller.owner
            return try caller.look { storage throws(APIError) in
                try kept("file") { () throws(StorageError) in
                    _ = try storage.file(request.fileID, of: owner)
                    try storage.deleteFile(request.fileID, of: owner)
                }
                return .with {
                    $0.id = request.fileID
                    $0.deleted = true
                }
            }
        }
    }

    /// Newest first, whatever order is asked for but that one of ascending age, names or sizes,
    /// which is refused.
    private static func listFiles(
        _ request: XaiApi_ListFilesRequest, _ caller: GRPCCaller
    ) throws(APIError) -> EventLoopFuture<Result<XaiApi_ListFilesResponse, APIError>> {
        guard !request.hasSortBy || request.sortBy == .createdAt else {
            throw APIError(.unsupported, "Files are sorted by age only.", parameter: "sort_by")
        }
        guard request.filter.isEmpty else {
            throw APIError(.unsupported, "Files are not filtered.", parameter: "filter")
        }
        let page = try PageRequest(
            request.limit, request.hasPaginationToken ? request.paginationToken : nil)
        let owner = caller.owner
        return try caller.look { storage throws(APIError) in
            let found = try kept("file") { () throws(StorageError) in
                try storage.files(of: owner, before: page.position, limit: page.limit)
            }
            return .with { answer in
                answer.data = found.items.map { XaiApi_File($0) }
                if let next = found.next { answer.paginationToken = String(next) }
            }
        }
    }
}

extension XaiApi_File {
    init(_ file: StoredFile) {
        self.init()
        id = file.id
        filename = file.name
        size = Int64(file.bytes)
        createdAt = .init(milliseconds: file.createdMilliseconds)
        if let expires = file.expiresMilliseconds { expiresAt = .init(milliseconds: expires) }
    }
}

/// `Files/UploadFile`: a message that names the file, then its content. Owned by the connection's
/// loop.
private final class UploadCall: GRPCServerCallReceiver {
    /// The call drops its receiver when it ends, which breaks the cycle.
    private let call: GRPCServerCall
    private let caller: GRPCCaller
    private let storage: StorageAccess
    private var upload: FileUpload?
    private var start = XaiApi_UploadFileInit()
    private let now = UnixClock.milliseconds()

    init(_ call: GRPCServerCall, _ caller: GRPCCaller, _ storage: StorageAccess) {
        self.call = call
        self.caller = caller
        self.storage = storage
        call.consumeManually()
    }

    func received(message: ByteBuffer) {
        do throws(APIError) {
            switch try XaiApi_UploadFileChunk(request: message).chunk {
            case .init_p(let start): try begin(start)
            case .data(let bytes):
                guard let upload else {
                    throw APIError(.invalidValue, "Expected the file's name before its data.")
                }
                upload.append(Array(bytes))
                if let failure = upload.failure { throw failure }
            case nil: break
            }
            consume()
        } catch {
            fail(error)
        }
    }

    private func begin(_ start: XaiApi_UploadFileInit) throws(APIError) {
        guard upload == nil else {
            throw APIError(.invalidValue, "Expected the file's name once.")
        }
        self.start = start
        guard !start.hasExpiresAfter || start.expiresAfter > 0 else {
            throw APIError(
                .invalidValue, "Expected seconds above 0.", parameter: "expires_after")
        }
        let upload = FileUpload(
            StoredFile(
                id: Identifier.file(), owner: caller.owner, name: "", purpose: "",
                createdMilliseconds: now),
            storage: storage, eventLoop: call.eventLoop)
        let bound = NIOLoopBound(self, eventLoop: call.eventLoop)
        upload.whenReady = { bound.value.consume() }
        self.upload = upload
    }

    private func consume() {
        guard !call.isFinished else { return }
        if let failure = upload?.failure { return fail(failure) }
        if upload?.isReady ?? true { call.consume() }
    }

    func receivedEnd() {
        guard !call.isFinished else { return }
        guard let upload else {
            return fail(APIError(.missingParameter, "Expected a file.", parameter: "init"))
        }
        let seconds = min(start.expiresAfter, 100 * 365 * 86_400)
        let bound = NIOLoopBound(self, eventLoop: call.eventLoop)
        upload.finish(
            name: String(start.name.prefix(255)), purpose: "batch",
            expiresMilliseconds: start.hasExpiresAfter ? now + seconds * 1_000 : nil
        ).whenSuccess { bound.value.finished($0) }
    }

    private func finished(_ result: Result<StoredFile, APIError>) {
        guard !call.isFinished else { return }
        switch result {
        case .failure(let error): fail(error)
        case .success(let file):
            call.send(message: XaiApi_File(file).bytes)
            call.finish()
        }
    }

    private func fail(_ error: APIError) {
        guard !call.isFinished else { return }
        upload?.abandon()
        caller.core.metrics.refused(error)
        call.finish(error)
    }

    func cancelled(_ status: GRPCStatus) {
        upload?.abandon()
    }
}

/// `Files/RetrieveFileContent`: a file part by part, as fast as its client reads. Owned by the
/// connection's loop.
private final class ContentCall: GRPCServerCallReceiver {
    private let call: GRPCServerCall
    private let caller: GRPCCaller
    private let storage: StorageAccess
    private var fileID: String?
    private var nextPart = 0
    private var isReading = false

    init(_ call: GRPCServerCall, _ caller: GRPCCaller, _ storage: StorageAccess) {
        self.call = call
        self.caller = caller
        self.storage = storage
    }

    func received(message: ByteBuffer) {
        guard fileID == nil else { return call.finish(.secondMessage) }
        do throws(APIError) {
            let request = try XaiApi_RetrieveFileContentRequest(request: message)
            fileID = request.fileID
        } catch {
            call.finish(error)
        }
    }

    func receivedEnd() {
        guard !call.isFinished else { return }
        guard let fileID else { return call.finish(.missingMessage) }
        let owner = caller.owner
        let bound = NIOLoopBound(self, eventLoop: call.eventLoop)
        storage.perform(on: call.eventLoop) { storage throws(APIError) in
            try kept("file") { () throws(StorageError) in try storage.file(fileID, of: owner) }
        }.whenSuccess { result in
            switch result {
            case .success: bound.value.read()
            case .failure(let error): bound.value.call.finish(error)
            }
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { read() }
    }

    func cancelled(_ status: GRPCStatus) {}

    private func read() {
        guard !call.isFinished, !isReading, let fileID, call.isWritable else { return }
        isReading = true
        let part = nextPart
        nextPart += 1
        let bound = NIOLoopBound(self, eventLoop: call.eventLoop)
        storage.perform(on: call.eventLoop) { storage throws(APIError) in
            try kept("file") { () throws(StorageError) in
                try storage.content(ofFile: fileID, part: part)
            }
        }.whenSuccess { bound.value.send($0) }
    }

    private func send(_ result: Result<[UInt8]?, APIError>) {
        isReading = false
        guard !call.isFinished else { return }
        switch result {
        case .success(let bytes?):
            call.send(
                message: XaiApi_FileContentChunk.with { $0.data = .init(bytes) }.bytes)
            read()
        case .success(nil): call.finish()
        case .failure(let error): call.finish(error)
        }
    }
}

extension Message {
    /// Of a message that is far from protobuf's 2 GiB.
    var bytes: ByteBuffer {
        do {
            let bytes: [UInt8] = try serializedBytes()
            return ByteBuffer(bytes: bytes)
        } catch {
            preconditionFailure("a message cannot be encoded: \(error)")
        }
    }
}
