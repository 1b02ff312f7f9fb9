import ArgumentParser

/// What the process's exit status says, after sysexits.h. A supervisor may restart on `software`;
/// the others need a person first. Wrong usage of flags is 64 (ArgumentParser's own).
extension ExitCode {
    /// A model file that is missing, unreadable or not a model.
    static let noInput = ExitCode(66)
    /// The listening address could not be bound.
    static let unavailable = ExitCode(69)
    /// The engine failed while running, or a part of ours did.
    static let software = ExitCode(70)
    /// Settings that are refused, such as plaintext on an address others can reach.
    static let configuration = ExitCode(78)
}
