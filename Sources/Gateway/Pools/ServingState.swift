import InferenceAPI
import Synchronization

/// What requests are served by now: configuration, keys and models. Immutable; replaced whole, so
/// that no request sees half of a change.
final class ServingState: Sendable {
    let configuration: GatewayConfiguration
    /// Nil: everybody may.
    let keys: APIKeys?
    let catalogue: Catalogue
    /// Unix seconds since when requests are served by it.
    private let created = UnixClock.seconds()

    init(configuration: GatewayConfiguration, keys: APIKeys?, catalogue: Catalogue) {
        self.configuration = configuration
        self.keys = keys
        self.catalogue = catalogue
    }

    /// What the holder of a key that was accepted is told of it.
    ///
    /// - Parameter key: nil where none was given.
    func describe(key: String?) -> APIKeyDescription {
        key.flatMap { keys?.description(of: $0) } ?? APIKeys.anonymous(loaded: created)
    }
}

/// The present `ServingState`. A lock, because connection loops and preparation threads read what
/// the control path replaces; taken a few times per request, never per token.
final class ServingBox: Sendable {
    private let state: Mutex<ServingState>

    init(_ state: ServingState) {
        self.state = Mutex(state)
    }

    var current: ServingState { state.withLock { $0 } }

    func replace(_ next: ServingState) {
        state.withLock { $0 = next }
    }
}
