import HTTPTransport
import InferenceAPI
import NIOCore
import Storage

/// `POST /v1/files`: a form whose `file` goes into the storage as it arrives. Owned by the
/// connection's loop.
final class UploadExchange: HTTPServerStreamReceiver {
    /// Bytes of a field that is not the file.
    private static let fieldLimitBytes = 1_024
    /// Longest life of a file: a hundred years.
    private static let expirySecondsLimit: Int64 = 100 * 365 * 86_400

    private let request: GatewayService.Request
    private let storage: StorageAccess
    private let metrics: GatewayMetrics
    private var parser: MultipartParser
    private var upload: FileUpload?
    private var fileName = ""
    /// The field being read; nil for the file.
    private var field: String?
    private var fields: [String: String] = [:]
    private var text: [UInt8] = []
    /// Bytes that have been received and not given back to the stream's window.
    private var unconsumed = 0
    private var isOpen = true
    private let now = UnixClock.milliseconds()

    init(
        _ request: GatewayService.Request, storage: StorageAccess, metrics: GatewayMetrics
    ) throws(APIError) {
        self.request = request
        self.storage = storage
        self.metrics = metrics
        parser = try MultipartParser(contentType: request.head.fields["content-type"])
    }

    // MARK: The form

    func received(_ bytes: ByteBuffer) {
        guard isOpen else { return request.stream.consume(bytes.readableBytes) }
        unconsumed += bytes.readableBytes
        do throws(APIError) {
            var parser = parser
            try parser.append(bytes) { event throws(APIError) in try take(event) }
            self.parser = parser
            if let failure = upload?.failure { throw failure }
            consume()
        } catch {
            fail(error)
        }
    }

    private func take(_ event: MultipartParser.Event) throws(APIError) {
        switch event {
        case .part(let name, let fileName):
            text = []
            field = name
            guard name == "file" else { return }
            guard upload == nil else {
                throw APIError(.invalidValue, "Expected one file.", parameter: "file")
            }
            field = nil
            self.fileName = String(fileName?.prefix(255) ?? "file")
            let upload = FileUpload(
                StoredFile(
                    id: Identifier.file(), owner: request.principal.owner, name: "",
                    purpose: "", createdMilliseconds: now),
                storage: storage, eventLoop: request.stream.eventLoop)
            let bound = NIOLoopBound(self, eventLoop: request.stream.eventLoop)
            upload.whenReady = { bound.value.consume() }
            self.upload = upload
        case .content(let bytes):
            guard let field else {
                upload?.append(bytes)
                return
            }
            guard text.count + bytes.count <= Self.fieldLimitBytes else {
                throw APIError(
                    .invalidValue, "Expected at most \(Self.fieldLimitBytes) bytes.",
                    parameter: String(field.prefix(64)))
            }
            text += bytes
        case .endOfPart:
            if let field { fields[field] = String(decoding: text, as: UTF8.self) }
        }
    }

    /// The client may send on while the storage keeps up.
    private func consume() {
        if let failure = upload?.failure, isOpen { return fail(failure) }
        guard isOpen, unconsumed > 0, upload?.isReady ?? true else { return }
        let bytes = unconsumed
        unconsumed = 0
        request.stream.consume(bytes)
    }

    func receivedEnd(trailers: HTTPFields?) {
        guard isOpen else { return }
        do throws(APIError) {
            try parser.finish()
            guard let upload else {
                throw APIError(.missingParameter, "Missing required parameter.", parameter: "file")
            }
            let purpose = fields["purpose"] ?? "batch"
            let bound = NIOLoopBound(self, eventLoop: request.stream.eventLoop)
            upload.finish(
                name: fileName, purpose: purpose, expiresMilliseconds: try expires()
            ).whenSuccess { bound.value.finished($0) }
        } catch {
            fail(error)
        }
    }

    /// `expires_after[seconds]` after the upload (OpenAI, "Upload file"), or plain `expires_after`.
    private func expires() throws(APIError) -> Int64? {
        let name = fields["expires_after"] == nil ? "expires_after[seconds]" : "expires_after"
        guard let text = fields[name] else { return nil }
        guard let seconds = Int64(text), (1...Self.expirySecondsLimit).contains(seconds) else {
            throw APIError(
                .invalidValue,
                "Expected seconds between 1 and \(Self.expirySecondsLimit).", parameter: name)
        }
        return now + seconds * 1_000
    }

    // MARK: The answer

    private func finished(_ result: Result<StoredFile, APIError>) {
        switch result {
        case .failure(let error): fail(error)
        case .success(let file):
            guard isOpen else { return }
            isOpen = false
            var body = ByteBuffer()
            FileDescription(file).write(into: &body)
            Answer.send(
                body, type: Answer.json, requestID: request.id, for: request.head,
                to: request.stream)
        }
    }

    private func fail(_ error: APIError) {
        guard isOpen else { return }
        isOpen = false
        upload?.abandon()
        metrics.refused(error)
        Answer.send(error, requestID: request.id, to: request.stream)
        request.stream.consume(unconsumed)
        unconsumed = 0
    }

    func closed(_ error: HTTPStreamError?) {
        // A file that was finished meanwhile stays: it cannot be told from one whose answer was
        // lost on the way.
        if isOpen, error != nil { upload?.abandon() }
        isOpen = false
        upload?.whenReady = nil
    }
}

extension FileDescription {
    init(_ file: StoredFile) {
        self.init(
            id: file.id, bytes: file.bytes, created: Int(file.createdMilliseconds / 1_000),
            expires: file.expiresMilliseconds.map { Int($0 / 1_000) }, name: file.name,
            purpose: file.purpose)
    }
}

extension Identifier {
    private static func random(_ prefix: String) -> String {
        var generator = SystemRandomNumberGenerator()
        return prefix + request((generator.next(), generator.next()))
    }

    static func file() -> String { random("file-") }
    static func batch() -> String { random("batch_") }
    static func batchRequest() -> String { random("batch_req_") }
}
