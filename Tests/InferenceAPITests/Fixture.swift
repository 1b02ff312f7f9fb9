import Foundation
import NIOCore

/// Files beside the tests.
enum Fixture {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: "Fixtures/" + name)))
    }

    static func text(_ name: String) throws -> String {
        String(decoding: try bytes(name), as: UTF8.self)
    }

    /// Every file of a corpus, by name.
    static func corpus(_ name: String) throws -> [(name: String, bytes: [UInt8])] {
        let corpus = folder.appending(path: "Corpus/" + name)
        return try FileManager.default.contentsOfDirectory(atPath: corpus.path).sorted().map {
            ($0, [UInt8](try Data(contentsOf: corpus.appending(path: $0))))
        }
    }
}

extension ByteBuffer {
    var text: String { String(buffer: self) }
}

/// What `write` appends to an empty buffer.
func written(_ write: (inout ByteBuffer) -> Void) -> String {
    var buffer = ByteBuffer()
    write(&buffer)
    return buffer.text
}
