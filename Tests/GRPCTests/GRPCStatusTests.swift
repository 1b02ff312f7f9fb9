import HTTPTransport
import Testing

@testable import GRPC

@Suite struct GRPCStatusTests {
    @Test(arguments: [
        ("plain text", "plain text"),
        ("100%", "100%25"),
        ("line\nbreak", "line%0Abreak"),
        ("Grüße 👋", "Gr%C3%BC%C3%9Fe %F0%9F%91%8B"),
        ("", ""),
    ])
    func messagesArePercentEncoded(_ message: String, _ encoded: String) {
        #expect(GRPCStatus.encodeMessage(message) == encoded)
        #expect(GRPCStatus.decodeMessage(encoded) == message)
    }

    @Test func decodingNeverFails() {
        #expect(GRPCStatus.decodeMessage("100%") == "100%")
        #expect(GRPCStatus.decodeMessage("%4") == "%4")
        #expect(GRPCStatus.decodeMessage("%zz%41") == "%zzA")
        #expect(GRPCStatus.decodeMessage("%FF") == "\u{FFFD}")
    }

    @Test func longMessagesAreCutBetweenCharacters() {
        let encoded = GRPCStatus.encodeMessage(String(repeating: "ü", count: 5000))
        #expect(encoded.utf8.count == GRPCStatus.maxMessageBytes * 3)
        #expect(GRPCStatus.decodeMessage(encoded).allSatisfy { $0 == "ü" })
    }

    @Test func trailersSayWhenToRepeat() {
        var status = GRPCStatus(.unavailable, "full")
        status.retryPushbackMilliseconds = 1_500
        var fields = HTTPFields()
        status.write(to: &fields)
        #expect(fields["grpc-retry-pushback-ms"] == "1500")
    }

    @Test func trailersCarryTheWholeStatus() {
        for code in GRPCStatus.Code.allCases {
            let status = GRPCStatus(code, "why: 7%\n", details: [0, 255, 3], origin: .peer)
            var fields = HTTPFields()
            status.write(to: &fields)
            #expect(GRPCStatus(trailers: fields) == status)
        }
    }

    @Test func anUnknownCodeIsUnknown() {
        #expect(GRPCStatus(trailers: ["grpc-status": "17"])?.code == .unknown)
        #expect(GRPCStatus(trailers: ["grpc-status": "x"])?.code == .unknown)
        #expect(GRPCStatus(trailers: [:]) == nil)
    }

    @Test(arguments: [
        (400, GRPCStatus.Code.internalError), (401, .unauthenticated), (403, .permissionDenied),
        (404, .unimplemented), (429, .unavailable), (502, .unavailable), (503, .unavailable),
        (504, .unavailable), (500, .unknown), (200, .unknown), (302, .unknown),
    ])
    func httpStatusesMap(_ http: Int, _ code: GRPCStatus.Code) {
        #expect(GRPCStatus(httpStatus: http).code == code)
    }

    @Test(
        arguments: [
            (0, GRPCStatus.Code.internalError), (1, .internalError), (2, .internalError),
            (3, .internalError), (4, .internalError), (5, .unknown), (6, .internalError),
            (7, .unavailable), (8, .cancelled), (9, .internalError), (10, .internalError),
            (11, .resourceExhausted), (12, .permissionDenied), (13, .internalError),
        ] as [(UInt32, GRPCStatus.Code)])
    func resetCodesMap(_ reset: UInt32, _ code: GRPCStatus.Code) {
        #expect(GRPCStatus(resetCode: reset).code == code)
    }

    @Test func onlyUnprocessedCallsAreSafeToRetry() {
        #expect(GRPCStatus(HTTPStreamError.goneAway).isSafeToRetry)
        #expect(GRPCStatus(HTTPStreamError.tooManyStreams).isSafeToRetry)
        #expect(GRPCStatus(resetCode: 7).isSafeToRetry)
        #expect(!GRPCStatus(HTTPStreamError.connectionClosed).isSafeToRetry)
        #expect(!GRPCStatus(resetCode: 8).isSafeToRetry)
        #expect(!GRPCStatus(.unavailable).isSafeToRetry)
    }
}
