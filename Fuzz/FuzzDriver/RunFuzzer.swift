import Glibc

/// What libFuzzer calls with each input.
package typealias FuzzTarget = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

/// Runs libFuzzer with this process's arguments and exits with its status. Each crash, trap, leak
/// or hang is a finding, written to where `-artifact_prefix` says.
///
/// The package manager renames an executable's `main`, so the fuzzer is started as a library.
package func runFuzzer(_ target: FuzzTarget) -> Never {
    var count = CommandLine.argc
    var arguments = CommandLine.unsafeArgv
    exit(runDriver(&count, &arguments, target))
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ target: FuzzTarget
) -> CInt
