import Foundation
import NIOCore
import Testing

@testable import Compression

@Suite struct ZipWriterTests {
    private static let files: [(name: String, content: ByteBuffer)] = [
        ("empty", ByteBuffer()),
        ("größe.json", ByteBuffer(string: #"{"a":1}"#)),
        ("long.bin", ByteBuffer(bytes: (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0) })),
    ]

    private static func archive() throws -> ByteBuffer {
        var writer = ZipWriter()
        for (name, content) in files { try writer.add(name: name, content) }
        return writer.finish()
    }

    /// Another implementation reads it: Python's, which checks the checksums.
    @Test func otherProgramsReadIt() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "test.zip").path()
        try Data(try Self.archive().readableBytesView).write(to: URL(filePath: path))
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-m", "zipfile", "-e", path, folder.path()]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        for (name, content) in Self.files {
            let read = try Data(contentsOf: folder.appending(path: name))
            #expect(read.elementsEqual(content.readableBytesView), "\(name)")
        }
    }

    @Test func theSameFilesGiveTheSameBytes() throws {
        #expect(try Self.archive() == Self.archive())
    }

    @Test func anEmptyArchiveIsItsEndRecord() {
        #expect(ZipWriter().finish().readableBytes == 22)
    }
}
