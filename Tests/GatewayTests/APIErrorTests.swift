import Admission
import GRPC
import InferenceAPI
import Testing

@testable import Gateway

/// What a client is told when the fleet, or a worker, cannot serve it.
@Suite struct APIErrorTests {
    @Test(arguments: [
        (Refusal.queueFull(limit: 3), APIErrorKind.queueFull),
        (.waitedTooLong(nanoseconds: 5), .waitTooLong), (.noWorker, .noWorker),
        (.deadlinePassed, .deadlineExceeded), (.draining, .draining), (.shed, .waitTooLong),
        (.wouldWaitTooLong(predictedNanoseconds: 9, excessNanoseconds: 1), .waitTooLong),
        (
            .limited(
                LimitRefusal(
                    kind: .tokensPerMinute, scope: .key(.none), limit: 6,
                    retryAfterNanoseconds: 1)), .rateLimited
        ),
        (
            .limited(
                LimitRefusal(
                    kind: .concurrentRequests, scope: .key(.none), limit: 6,
                    retryAfterNanoseconds: 1)), .concurrencyLimited
        ),
    ])
    func refusalsHaveTheirKind(refusal: Refusal, kind: APIErrorKind) {
        #expect(APIError(refusal, retryAfterMilliseconds: 6_001).kind == kind)
    }

    @Test func retryAfterIsThePrediction() {
        let error = APIError(.queueFull(limit: 3), retryAfterMilliseconds: 6_001)
        #expect(error.httpFields.contains { $0.name == "retry-after" && $0.value == "7" })
    }

    @Test(arguments: [
        (GRPCStatus.Code.invalidArgument, APIErrorKind.invalidValue),
        (.resourceExhausted, .queueFull), (.unavailable, .workerLost), (.cancelled, .workerLost),
        (.deadlineExceeded, .deadlineExceeded), (.internalError, .workerFailed),
        (.unknown, .workerFailed),
    ])
    func workersFailuresHaveTheirKind(code: GRPCStatus.Code, kind: APIErrorKind) {
        #expect(APIError(GRPCStatus(code, "x")).kind == kind)
    }

    @Test func everyKindHasItsCodeOverGRPC() {
        for kind in APIErrorKind.allCases {
            let status = APIError(kind, "why").grpcStatus
            #expect(Int(status.code.rawValue) == kind.status.grpc.rawValue)
            #expect(status.message == "why")
        }
    }

    /// gRFC A6: UNAVAILABLE is what clients repeat by themselves.
    @Test func onlyTheFleetsStateSaysWhenToRepeatACall() {
        let full = APIError(.queueFull, "full", retryAfterMilliseconds: 1_500)
        #expect(full.grpcStatus.retryPushbackMilliseconds == 1_500)
        #expect(full.grpcTrailers["retry-after"] == "2")
        let limited = APIError(.rateLimited, "slow down")
        #expect(limited.grpcStatus.retryPushbackMilliseconds == nil)
        #expect(limited.grpcTrailers["retry-after"] == "1")
        let wrong = APIError(.invalidValue, "wrong")
        #expect(wrong.grpcStatus.retryPushbackMilliseconds == nil)
        #expect(wrong.grpcTrailers["retry-after"] == nil)
    }
}
