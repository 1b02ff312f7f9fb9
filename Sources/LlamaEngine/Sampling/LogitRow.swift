/// One sequence's logits, borrowed from the library for the duration of a step.
///
/// Only the thread that samples the row touches it; it may change the values, since the library
/// writes them anew in each step.
@safe struct LogitRow {
    private let base: UnsafeMutablePointer<Float>
    let count: Int

    /// `base` must hold `count` values for as long as the row is used.
    init(base: UnsafeMutablePointer<Float>, count: Int) {
        unsafe self.base = base
        self.count = count
    }

    subscript(index: Int) -> Float {
        @inline(__always) get {
            assert(index >= 0 && index < count)
            return unsafe base[index]
        }
        @inline(__always) nonmutating set {
            assert(index >= 0 && index < count)
            unsafe base[index] = newValue
        }
    }

    /// Values per block; kernels skip whole blocks by their maximum.
    static let blockSize = 128

    var blockCount: Int { (count + Self.blockSize - 1) / Self.blockSize }

    @inline(__always)
    func block(_ index: Int) -> Range<Int> {
        let start = index * Self.blockSize
        return start..<min(start + Self.blockSize, count)
    }

    func copy(to array: inout [Float]) {
        unsafe array.append(contentsOf: UnsafeBufferPointer(start: base, count: count))
    }

    /// Eight values from `index` on, which must all exist.
    @inline(__always)
    func eight(_ index: Int) -> SIMD8<Float> {
        assert(index + 8 <= count)
        return unsafe UnsafeRawPointer(base + index).loadUnaligned(as: SIMD8<Float>.self)
    }

    /// Replaces eight values from `index` on, which must all exist.
    @inline(__always)
    func set(_ values: SIMD8<Float>, at index: Int) {
        assert(index + 8 <= count)
        unsafe UnsafeMutableRawPointer(base + index).storeBytes(
            of: values, as: SIMD8<Float>.self)
    }

    /// Up to eight values from `index` on; lanes past the row's end are -infinity.
    @inline(__always)
    func upToEight(_ index: Int) -> SIMD8<Float> {
        if index + 8 <= count { return eight(index) }
        var vector = SIMD8<Float>(repeating: -.infinity)
        for lane in 0..<(count - index) { vector[lane] = self[index + lane] }
        return vector
    }
}
