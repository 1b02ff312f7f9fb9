/// A tenant in one process: dense numbers from 0, given by whoever keeps the tenants, never reused
/// while the process lives. What is kept on disk names tenants by their ids instead.
package struct TenantNumber: Hashable, Comparable, Sendable {
    /// Whose all requests are where no tenants are configured.
    package static let builtIn = TenantNumber(0)

    package let value: UInt32

    package init(_ value: UInt32) {
        self.value = value
    }

    package static func < (left: TenantNumber, right: TenantNumber) -> Bool {
        left.value < right.value
    }
}

/// An API key in one process; as `TenantNumber`. 0 stands for requests without a key.
package struct KeyNumber: Hashable, Comparable, Sendable {
    package static let none = KeyNumber(0)

    package let value: UInt32

    package init(_ value: UInt32) {
        self.value = value
    }

    package static func < (left: KeyNumber, right: KeyNumber) -> Bool {
        left.value < right.value
    }
}
