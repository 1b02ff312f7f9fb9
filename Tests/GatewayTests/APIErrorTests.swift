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
        (.deadlinePassed, .deadlineExceeded), (.draining, .draining),
    ])
    func refusalsHaveTheirKind(refusal: Refusal, kind: APIErrorKind) {
        #expect(APIError(refusal, retryAfterSeconds: 7).kind == kind)
    }

    @Test func retryAfterIsThePrediction() {
        let error = APIError(.queueFull(limit: 3), retryAfterSeconds: 7)
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
}
