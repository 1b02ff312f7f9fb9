/// Strings that arrive all the time and are too long for Swift's inline form (15 bytes).
///
/// A name from this table costs neither an allocation nor a reference count.
enum HTTP2InternedStrings {
    private static let byLength: [[String]] = {
        let known = [
            "application/grpc", "application/json", "content-encoding", "xai-sdk-language",
            "www-authenticate", "anthropic-version", "if-modified-since", "switchyard-tenant",
            "x-forwarded-proto", "text/event-stream", "grpc-status-details-bin",
            "switchyard-attempt", "content-disposition", "openai-organization",
            "switchyard-deadline", "switchyard-position", "x-stainless-runtime",
            "grpc-accept-encoding", "x-stainless-package-version", "x-stainless-retry-count",
            "x-stainless-runtime-version", "x-stainless-read-timeout", "x-stainless-timeout",
            "grpc-previous-rpc-attempts", "identity, deflate, gzip", "application/grpc+proto",
            "/v1/chat/completions", "/vllm.grpc.engine.VllmEngine/Generate",
            "/xai_api.Chat/GetCompletionChunk", "/xai_api.Chat/GetCompletion",
        ]
        var table = [[String]](repeating: [], count: 64)
        for text in known { table[text.utf8.count].append(text) }
        return table
    }()

    /// The bytes as a string; malformed UTF-8 is repaired.
    static func string(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        let count = bytes.count
        if count > 15 && count < 64 {
            for candidate in byLength[count] {
                let isEqual = unsafe candidate.utf8.withContiguousStorageIfAvailable {
                    unsafe $0.elementsEqual(bytes)
                }
                if isEqual == true { return candidate }
            }
        }
        return unsafe String(decoding: bytes, as: UTF8.self)
    }
}
