/// Seeds are 64 bits in the APIs and an `int32` in the protocol.
package enum EngineSeed {
    /// The seed for an engine that knows only the message: 31 bits, never negative because vLLM
    /// takes -1 for "no seed". Seeds under 2^31 fold to themselves, so that a client's `seed: 42`
    /// is 42 everywhere; the higher bits are exclusive-ored in.
    package static func fold(_ seed: UInt64) -> Int32 {
        Int32(truncatingIfNeeded: (seed ^ seed >> 31 ^ seed >> 62) & 0x7FFF_FFFF)
    }
}
