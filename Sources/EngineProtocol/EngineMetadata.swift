import GRPC
package import InferenceTypes

/// What travels beside a `Generate` request as gRPC metadata, so that the messages stay compatible
/// with engines that do not know it.
///
/// | key | value |
/// |---|---|
/// | `switchyard-tier` | `priority`, `default` or `batch` |
/// | `switchyard-tenant` | the tenant's name, percent-encoded like `grpc-message` |
/// | `switchyard-tenant-weight` | its part, in proportion to those of its tier's other tenants |
/// | `switchyard-deadline` | milliseconds from sending until the worker ends the request |
/// | `switchyard-first-token` | milliseconds from sending in which the first token is wanted |
/// | `switchyard-position` | how many tokens at the prompt's end are generated output |
/// | `switchyard-seed` | the 64-bit seed, decimal; the message carries a fold of it |
/// | `switchyard-prefix-salt` | the salt of its KV blocks' hashes in `SubscribeKvEvents`, decimal |
/// | `switchyard-usage` | `ID/CHOICE/N`: what tokens are billed under; N choices share a prompt |
/// | `switchyard-application`, `switchyard-key` | who asks, percent-encoded ids |
/// | `switchyard-attempt` | 0 for the first worker that gets the request, then 1, 2, … |
/// | `switchyard-progress` | `1`: chunks without tokens tell how far the prefill is |
/// | `traceparent`, `tracestate` | W3C Trace Context |
///
/// Tier, tenant, weight, position, seed, salt and usage are fields of `GenerationRequest`; the rest
/// is here.
package struct EngineMetadata: Sendable, Hashable {
    /// Milliseconds from sending until the worker ends each choice, waiting or running, with finish
    /// reason `timeLimit` (`length` on the wire): the call succeeds and what was generated stands.
    /// Relative, because clocks differ. gRPC's own deadline instead fails the call with
    /// DEADLINE_EXCEEDED. Nil: no such limit. Of one tenant's requests the one that is due first
    /// goes first.
    package var deadlineMilliseconds: Int64?
    /// Milliseconds from sending in which the first token is wanted: orders the request among its
    /// tenant's others as a deadline does, and ends nothing. Nil: no such wish.
    package var firstTokenMilliseconds: Int64?
    /// Tells late output of a superseded attempt from the current one's, in logs and journals.
    package var attempt: Int
    /// The caller takes chunks without tokens before the first token: their `cached_tokens` says
    /// how many of the prompt's tokens are computed so far. Engines that do not know it send none.
    package var wantsProgress: Bool
    /// The caller's span.
    package var trace: TraceContext?

    package init(
        deadlineMilliseconds: Int64? = nil, firstTokenMilliseconds: Int64? = nil,
        attempt: Int = 0, wantsProgress: Bool = false, trace: TraceContext? = nil
    ) {
        self.deadlineMilliseconds = deadlineMilliseconds
        self.firstTokenMilliseconds = firstTokenMilliseconds
        self.attempt = attempt
        self.wantsProgress = wantsProgress
        self.trace = trace
    }
}

enum EngineMetadataKey {
    static let tier = "switchyard-tier"
    static let tenant = "switchyard-tenant"
    static let tenantWeight = "switchyard-tenant-weight"
    static let deadline = "switchyard-deadline"
    static let firstToken = "switchyard-first-token"
    static let position = "switchyard-position"
    static let seed = "switchyard-seed"
    static let prefixSalt = "switchyard-prefix-salt"
    static let usage = "switchyard-usage"
    static let application = "switchyard-application"
    static let key = "switchyard-key"
    static let attempt = "switchyard-attempt"
    static let progress = "switchyard-progress"
    static let traceParent = "traceparent"
    static let traceState = "tracestate"
    /// A trailer: why a choice ended where the protocol has one word for several reasons.
    static let finish = "switchyard-finish"
}

extension EngineMetadata {
    /// The metadata of a call for `request`. Values that say nothing are left out.
    func grpcMetadata(for request: GenerationRequest) -> GRPCMetadata {
        var metadata = GRPCMetadata()
        metadata.append(EngineMetadataKey.tier, request.tier.name)
        if !request.tenant.isEmpty {
            metadata.append(
                EngineMetadataKey.tenant, GRPCStatus.encodeMessage(request.tenant))
        }
        if request.tenantWeight != 1 {
            metadata.append(EngineMetadataKey.tenantWeight, "\(request.tenantWeight)")
        }
        if let deadlineMilliseconds {
            metadata.append(EngineMetadataKey.deadline, String(max(0, deadlineMilliseconds)))
        }
        if let firstTokenMilliseconds {
            metadata.append(EngineMetadataKey.firstToken, String(max(0, firstTokenMilliseconds)))
        }
        if request.resumedTokens > 0 {
            metadata.append(EngineMetadataKey.position, String(request.resumedTokens))
        }
        metadata.append(EngineMetadataKey.seed, String(request.sampling.seed))
        if let salt = request.prefixSalt {
            metadata.append(EngineMetadataKey.prefixSalt, String(salt))
        }
        if let usage = request.usage { usage.write(into: &metadata) }
        if attempt > 0 { metadata.append(EngineMetadataKey.attempt, String(attempt)) }
        if wantsProgress { metadata.append(EngineMetadataKey.progress, "1") }
        if let trace {
            metadata.append(EngineMetadataKey.traceParent, trace.traceparent)
            if !trace.state.isEmpty { metadata.append(EngineMetadataKey.traceState, trace.state) }
        }
        return metadata
    }

    /// Reads a call's metadata into `request` and into the returned value.
    ///
    /// - Throws: INVALID_ARGUMENT that names the key of a malformed value.
    static func read(
        _ fields: GRPCMetadata, into request: inout GenerationRequest
    ) throws(GRPCStatus) -> EngineMetadata {
        var metadata = EngineMetadata()
        if let value = fields[EngineMetadataKey.tier] {
            guard let tier = ServiceTier(name: value) else {
                throw .invalid(EngineMetadataKey.tier, "unknown tier '\(value)'")
            }
            request.tier = tier
        }
        if let value = fields[EngineMetadataKey.tenant] {
            request.tenant = GRPCStatus.decodeMessage(value)
        }
        if let value = fields[EngineMetadataKey.tenantWeight] {
            guard let weight = Double(value), weight > 0, weight.isFinite else {
                throw .invalid(EngineMetadataKey.tenantWeight, "'\(value)' is no weight")
            }
            request.tenantWeight = weight
        }
        if let position = try number(fields, EngineMetadataKey.position) {
            guard position <= UInt64(request.prompt.count) else {
                throw .invalid(EngineMetadataKey.position, "longer than the prompt")
            }
            request.resumedTokens = Int(position)
        }
        if let seed = try number(fields, EngineMetadataKey.seed) { request.sampling.seed = seed }
        request.prefixSalt = try number(fields, EngineMetadataKey.prefixSalt)
        request.usage = try UsageIdentity(fields)
        if let value = try number(fields, EngineMetadataKey.deadline) {
            metadata.deadlineMilliseconds = Int64(clamping: value)
        }
        if let value = try number(fields, EngineMetadataKey.firstToken) {
            metadata.firstTokenMilliseconds = Int64(clamping: value)
        }
        if let value = try number(fields, EngineMetadataKey.attempt) {
            metadata.attempt = Int(clamping: value)
        }
        metadata.wantsProgress = fields[EngineMetadataKey.progress] == "1"
        // A malformed one is ignored, as the standard wants.
        metadata.trace = TraceContext(
            traceparent: fields.fields.values(named: EngineMetadataKey.traceParent),
            tracestate: fields.fields.values(named: EngineMetadataKey.traceState))
        return metadata
    }

    private static func number(
        _ fields: GRPCMetadata, _ key: String
    ) throws(GRPCStatus) -> UInt64? {
        guard let value = fields[key] else { return nil }
        guard let number = UInt64(value) else { throw .invalid(key, "'\(value)' is not a number") }
        return number
    }
}

extension GRPCStatus {
    /// INVALID_ARGUMENT about one field of a request.
    static func invalid(_ field: String, _ reason: String) -> GRPCStatus {
        GRPCStatus(.invalidArgument, "\(field): \(reason)")
    }
}
