/// A pool as requests and links see it: one model, and where to ask for a place on its workers.
/// Immutable. A pool whose model is swapped is followed by another one of the same name.
struct Pool: Sendable {
    let name: String
    /// Never used again by this gateway.
    let number: Int
    let kind: PoolSettings.Kind
    let model: ServedModel
    let dispatcher: DispatcherHandle
    /// What its links show, and want to see; a reload replaces what it holds.
    let credentials: WorkerLinkCredentials
    /// How upstreams are reached; nil unless `kind` is `openAI`.
    let upstream: UpstreamAccess?
}
