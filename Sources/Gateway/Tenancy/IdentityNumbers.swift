import InferenceTypes

/// Which numbers tenants and keys have in this process: the same as long as it lives, so that what
/// is counted by them outlives each change of the tenants. Owned by the `PoolDirectory`.
struct IdentityNumbers {
    private var tenants: [String: TenantNumber] = [:]
    private var keys: [String: KeyNumber] = [:]

    mutating func tenant(_ id: String) -> TenantNumber {
        if let number = tenants[id] { return number }
        // 0 is the built-in tenant's.
        let number = TenantNumber(UInt32(tenants.count + 1))
        tenants[id] = number
        return number
    }

    mutating func key(_ id: String) -> KeyNumber {
        if let number = keys[id] { return number }
        // 0 stands for requests without a key.
        let number = KeyNumber(UInt32(keys.count + 1))
        keys[id] = number
        return number
    }
}
