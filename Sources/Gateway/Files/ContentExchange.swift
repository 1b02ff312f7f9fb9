import HTTPTransport
import InferenceAPI
import NIOCore
import Storage

/// `GET /v1/files/{id}/content`: a file part by part, as fast as its client reads. Owned by the
/// connection's loop.
final class ContentExchange: HTTPServerStreamReceiver {
    private let request: GatewayService.Request
    private let storage: StorageAccess
    private let metrics: GatewayMetrics
    private var file: StoredFile?
    private var nextPart = 0
    private var isReading = false
    private var isOpen = true

    init(
        _ request: GatewayService.Request, id: String, storage: StorageAccess,
        metrics: GatewayMetrics
    ) {
        self.request = request
        self.storage = storage
        self.metrics = metrics
        let owner = request.principal.owner
        let bound = NIOLoopBound(self, eventLoop: request.stream.eventLoop)
        storage.perform(on: request.stream.eventLoop) { storage throws(APIError) in
            try kept("file") { () throws(StorageError) in try storage.file(id, of: owner) }
        }.whenSuccess { bound.value.found($0) }
    }

    func received(_ bytes: ByteBuffer) {
        request.stream.consume(bytes.readableBytes)
    }

    func receivedEnd(trailers: HTTPFields?) {}

    func closed(_ error: HTTPStreamError?) {
        isOpen = false
    }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { read() }
    }

    private func found(_ result: Result<StoredFile, APIError>) {
        guard isOpen else { return }
        switch result {
        case .failure(let error):
            isOpen = false
            metrics.refused(error)
            Answer.send(error, requestID: request.id, to: request.stream)
        case .success(let file):
            self.file = file
            var fields: HTTPFields = [
                "content-type": "application/octet-stream", "content-length": String(file.bytes),
            ]
            Answer.addRequestID(request.id, ChatFace(), to: &fields)
            request.stream.send(HTTPResponseHead(status: 200, fields: fields), end: false)
            read()
        }
    }

    private func read() {
        guard isOpen, !isReading, let file, request.stream.isWritable else { return }
        isReading = true
        let part = nextPart
        nextPart += 1
        let bound = NIOLoopBound(self, eventLoop: request.stream.eventLoop)
        storage.perform(on: request.stream.eventLoop) { storage throws(APIError) in
            try kept("file") { () throws(StorageError) in
                try storage.content(ofFile: file.id, part: part)
            }
        }.whenSuccess { bound.value.send($0) }
    }

    private func send(_ result: Result<[UInt8]?, APIError>) {
        isReading = false
        guard isOpen else { return }
        switch result {
        case .success(let bytes?):
            request.stream.send(ByteBuffer(bytes: bytes), end: false)
            read()
        case .success(nil):
            isOpen = false
            request.stream.send(ByteBuffer(), end: true)
        case .failure:
            // Under a 200 already: an answer that ends before its length is no whole one.
            isOpen = false
            request.stream.reset(.internalError)
        }
    }
}
