internal import Glibc

/// The C library's functions, here so that the kernels import nothing else of it.
func naturalLogarithm(_ value: Float) -> Float { logf(value) }
func naturalLogarithm(_ value: Double) -> Double { log(value) }
func exponential(_ value: Float) -> Float { expf(value) }
