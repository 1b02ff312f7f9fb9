import EngineProtocol
import Foundation
import InferenceTypes
import Testing

@testable import Gateway

@Suite struct JournalReaderTests {
    private let folder: String

    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/sy-reader-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
    }

    private func write(_ name: String) throws {
        var encoder = JournalEncoder()
        encoder.append(.end(ordinal: 1, reason: .finished))
        try Data(JournalEncoder.header + encoder.frame())
            .write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    @Test func aClosedJournalIsReadAndPutAway() throws {
        var reader = try JournalReader(directory: folder)
        reader.opened("e", path: "\(folder)/w")
        try write("w.000001")
        try write("w.000002")
        reader.closed("e")
        let readings = reader.read()
        #expect(readings.map(\.records.count) == [2] && readings.map(\.isOver) == [true])
        reader.settle()
        #expect(try names() == ["settled"])
    }

    /// Fails if what could not be read is put away as if it had been.
    @Test func whatCannotBeReadIsTriedAgain() throws {
        var reader = try JournalReader(directory: folder)
        reader.opened("e", path: "\(folder)/w")
        reader.closed("e")
        // A directory opens, and does not read.
        try FileManager.default.createDirectory(
            atPath: "\(folder)/w.000001", withIntermediateDirectories: false)
        try write("w.000002")
        let first = reader.read()
        #expect(first.map(\.records.count) == [0] && first.map(\.isOver) == [false])
        #expect(reader.trouble?.contains("w.000001") == true)
        reader.settle()
        #expect(try names() == ["settled", "w.000001", "w.000002"])
        try FileManager.default.removeItem(atPath: "\(folder)/w.000001")
        try write("w.000001")
        let second = reader.read()
        #expect(second.map(\.records.count) == [2] && second.map(\.isOver) == [true])
        #expect(reader.trouble == nil)
        reader.settle()
        #expect(try names() == ["settled"])
    }
}
