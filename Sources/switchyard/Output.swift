import Foundation

/// Lines for the person or program that started the process. Unbuffered, as they are waited for.
/// Where nobody reads them any more they are dropped: that is no reason to end.
enum Output {
    static func line(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data("\(text)\n".utf8))
    }

    static func error(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("\(text)\n".utf8))
    }
}
