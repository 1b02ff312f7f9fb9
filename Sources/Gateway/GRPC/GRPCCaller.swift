import GRPC
import HTTPTransport
import InferenceAPI
import InferenceTypes
import NIOCore

/// Who makes a call whose key is known, and on which loop. On that loop only.
struct GRPCCaller {
    let requestID: String
    let principal: Principal
    /// The call's headers.
    let fields: HTTPFields
    let connectionLoop: ConnectionLoop
    /// When the client gives up (`grpc-timeout`).
    let deadline: Instant?

    var core: GatewayCore { connectionLoop.core }
    var eventLoop: any EventLoop { connectionLoop.eventLoop }

    /// Which it may use.
    var languageModels: LanguageModelList {
        core.serving.current.catalogue.languageModels(for: principal)
    }

    /// What a generation must know of it.
    ///
    /// Throws `invalidHeader`.
    func generationContext() throws(APIError) -> GenerationContext {
        var context = try GenerationContext(
            HTTPRequestHead(method: "POST", scheme: "", authority: "", path: "", fields: fields),
            requestID: requestID, principal: principal, arrival: core.clock())
        context.deadline = deadline
        return context
    }
}
