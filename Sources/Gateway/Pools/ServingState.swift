import Synchronization

/// What requests are served by now: configuration, tenants with their keys, and models. Immutable;
/// replaced whole, so that no request sees half of a change.
final class ServingState: Sendable {
    let configuration: GatewayConfiguration
    let tenants: TenantDirectory
    let catalogue: Catalogue

    init(configuration: GatewayConfiguration, tenants: TenantDirectory, catalogue: Catalogue) {
        self.configuration = configuration
        self.tenants = tenants
        self.catalogue = catalogue
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
