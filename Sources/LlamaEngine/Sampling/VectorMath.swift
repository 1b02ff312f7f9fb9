/// e^x for each lane, for x <= 0; relative error below 3e-7. Values under -87 give 0.
///
/// Range reduction by ln 2 in two parts, then the usual degree-5 polynomial (Cephes `expf`).
/// Rounding and scaling work on the bit patterns, since SIMD conversions do not vectorise.
@inline(__always)
func vectorExp(_ input: SIMD8<Float>) -> SIMD8<Float> {
    let tooSmall = input .< -87
    let x = input.replacing(with: -87, where: tooSmall)
    let magic: Float = 12_582_912  // 1.5 * 2^23: adding it rounds to an integer in the low bits
    let shifted = x * 1.442_695_04 + magic
    let n = shifted - magic
    let r = x - n * 0.693_359_375 + n * 2.121_944_40e-4
    var p = r * 1.987_569_15e-4 + 1.398_199_95e-3
    p = p * r + 8.333_451_91e-3
    p = p * r + 4.166_579_59e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_12e-1
    let series = p * (r * r) + r + 1
    let bits = unsafe unsafeBitCast(shifted, to: SIMD8<Int32>.self)
    let exponent = (bits &- 0x4B40_0000 &+ 127) &<< 23
    let scale = unsafe unsafeBitCast(exponent, to: SIMD8<Float>.self)
    return (series * scale).replacing(with: 0, where: tooSmall)
}

/// The larger of each pair of lanes; a NaN never wins over a number in `left`.
@inline(__always)
func vectorMax(_ left: SIMD8<Float>, _ right: SIMD8<Float>) -> SIMD8<Float> {
    left.replacing(with: right, where: right .> left)
}

@inline(__always)
func horizontalMax(_ v: SIMD8<Float>) -> Float {
    let a = v.lowHalf.replacing(with: v.highHalf, where: v.highHalf .> v.lowHalf)
    let b = a.lowHalf.replacing(with: a.highHalf, where: a.highHalf .> a.lowHalf)
    return b.x > b.y ? b.x : b.y
}

@inline(__always)
func horizontalSum(_ v: SIMD8<Float>) -> Float {
    let a = v.lowHalf + v.highHalf
    let b = a.lowHalf + a.highHalf
    return b.x + b.y
}
