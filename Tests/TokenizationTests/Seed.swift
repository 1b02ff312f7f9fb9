import Foundation
import InferenceTypes

/// Seeds of a property test: `SEED` from the environment alone, or `count` fresh ones.
func seeds(_ count: Int) -> [UInt64] {
    if let text = ProcessInfo.processInfo.environment["SEED"], let seed = UInt64(text) {
        return [seed]
    }
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in generator.next() }
}
