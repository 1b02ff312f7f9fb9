import EngineProtocol
import Foundation
import InferenceTypes
import Scheduling
import Testing

@testable import Worker

@Suite struct WorkerJournalTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "sy-journal-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private var path: String { folder.appendingPathComponent("w").path }

    /// The records of each file, in order.
    private func files() throws -> [[JournalRecord]] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
            var decoder = JournalDecoder()
            let records = decoder.append(
                try Data(contentsOf: folder.appendingPathComponent(name)))
            #expect(!decoder.isDamaged)
            return records
        }
    }

    private func request(_ id: String, resumed: Int = 0) -> GenerationRequest {
        var request = GenerationRequest(
            id: id, prompt: Array(repeating: 1, count: 10 + resumed),
            sampling: SamplingParameters())
        request.usage = UsageIdentity(id: "u-\(id)", choice: 0)
        request.resumedTokens = resumed
        return request
    }

    private func token(_ key: SequenceKey, _ index: Int) -> SchedulerEvent {
        .token(GeneratedToken(key: key, token: 5, index: index, endsGeneration: false))
    }

    private func journal(fileBytes: Int = 1 << 20, files: Int = 4) throws -> WorkerJournal {
        WorkerJournal(
            files: try JournalFiles(path: path, fileBytesMax: fileBytes, filesMax: files),
            model: "m")
    }

    @Test func hasEachStepBeforeItsEnd() throws {
        var journal = try journal()
        let (one, two) = (SequenceKey(1), SequenceKey(2))
        journal.submitted(request("a"), key: one)
        journal.submitted(request("b", resumed: 4), key: two)
        journal.record([
            .started(key: one, cachedTokens: 3, waitedNanoseconds: 0), token(one, 0),
            .started(key: two, cachedTokens: 0, waitedNanoseconds: 0), token(two, 4),
        ])
        let written1 = journal.flush()
        #expect(written1)
        journal.record([token(one, 1)])
        journal.cancelled(two)
        let written2 = journal.flush()
        #expect(written2)
        let records = try files()[0]
        guard case .begin(let first) = records[0], case .begin(let second) = records[1] else {
            Issue.record("no begin: \(records)")
            return
        }
        #expect(first.usage.id == "u-a" && first.cachedTokens == 3 && first.promptTokens == 10)
        #expect(second.base == 4 && second.promptTokens == 10)
        #expect(
            records[2...] == [
                .tokens(ordinal: first.ordinal, positions: 1),
                .tokens(ordinal: second.ordinal, positions: 5),
                .end(ordinal: second.ordinal, reason: .cancelled),
                .tokens(ordinal: first.ordinal, positions: 2),
            ])
    }

    @Test func tokensPrecedeTheEndOfTheirOwnStep() throws {
        var journal = try journal()
        let key = SequenceKey(1)
        journal.submitted(request("a"), key: key)
        journal.record([.started(key: key, cachedTokens: 0, waitedNanoseconds: 0), token(key, 0)])
        journal.cancelled(key)
        let written3 = journal.flush()
        #expect(written3)
        #expect(
            try files()[0].dropFirst() == [
                .tokens(ordinal: 1, positions: 1), .end(ordinal: 1, reason: .cancelled),
            ])
    }

    @Test func eachFileNamesWhatGoesOnInIt() throws {
        var journal = try journal(fileBytes: 200, files: 3)
        let key = SequenceKey(1)
        journal.submitted(request("a"), key: key)
        journal.record([.started(key: key, cachedTokens: 0, waitedNanoseconds: 0)])
        for index in 0..<200 {
            journal.record([token(key, index)])
            let written4 = journal.flush()
            #expect(written4)
        }
        let files = try files()
        #expect(files.count == 3)
        for records in files where !records.isEmpty {
            guard case .begin(let begin) = records[0] else {
                Issue.record("a file begins with \(records[0])")
                continue
            }
            #expect(begin.usage.id == "u-a")
            #expect(
                records.count < 2
                    || records[1]
                        == .tokens(
                            ordinal: begin.ordinal, positions: begin.base + 1)
            )
        }
        #expect(files.flatMap(\.self).contains(.tokens(ordinal: 1, positions: 200)))
    }

    @Test func aWorkerWithTheSameNameGoesOnBehindTheLastFile() throws {
        _ = try journal()
        _ = try journal()
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
                "w.000001", "w.000002",
            ])
    }

    @Test func whatNobodyBillsIsNotWritten() throws {
        var journal = try journal()
        var request = request("a")
        request.usage = nil
        journal.submitted(request, key: SequenceKey(1))
        journal.record([token(SequenceKey(1), 0)])
        let written5 = journal.flush()
        #expect(written5)
        #expect(try files() == [[]])
    }
}
