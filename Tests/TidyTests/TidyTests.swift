import Foundation
import Testing

/// The rules of CONTRIBUTING.md that a machine can check.
@Suite struct TidyTests {
    static let core = ["Admission", "Routing", "Scheduling", "InferenceTypes"]

    @Test func findsTheSources() {
        #expect(SourceTree.sources.count > 20)
    }

    @Test func theCoreImportsOnlyTheCoreAndCollections() {
        let allowed: Set<String> = ["InferenceTypes", "Collections", "DequeModule", "HeapModule"]
        for file in SourceTree.sources
        where Self.core.contains(where: { file.path.hasPrefix("Sources/\($0)/") }) {
            for (number, line) in file.code {
                guard let module = Self.importedModule(line) else { continue }
                #expect(allowed.contains(module), "\(file.path):\(number) imports \(module)")
            }
        }
    }

    @Test func theCoreHasNoClockNoLockAndNoUnseededRandomness() {
        let banned = [
            "ContinuousClock", "SuspendingClock", "clock_gettime", "Date(", "DispatchTime",
            "SystemRandomNumberGenerator", ".random(in: ", "Mutex<", "Atomic<", "Task {",
            "hashValue",
        ]
        for file in SourceTree.sources
        where Self.core.contains(where: { file.path.hasPrefix("Sources/\($0)/") }) {
            for (number, line) in file.code {
                for word in banned where line.contains(word) {
                    // `.random(in:using:)` takes the caller's generator.
                    if word == ".random(in: ", line.contains("using:") { continue }
                    Issue.record("\(file.path):\(number) uses \(word)")
                }
            }
        }
    }

    @Test func cModulesHaveOneDoor() {
        let doors: [String: [String]] = [
            "CNGHTTP2": ["Sources/HTTPTransport/HTTP2/"],
            "CZlib": ["Sources/Compression/"],
            "CSpawn": ["Sources/Gateway/Supervision/Spawning/"],
            "GRDB": ["Sources/Storage/"],
            "CLlama": ["Sources/LlamaEngine/", "Sources/Tokenization/"],
            "CLlamaChat": ["Sources/LlamaEngine/", "Sources/Tokenization/"],
        ]
        for file in SourceTree.sources {
            for (number, line) in file.code {
                guard let module = Self.importedModule(line), let allowed = doors[module] else {
                    continue
                }
                #expect(
                    allowed.contains { file.path.hasPrefix($0) },
                    "\(file.path):\(number) imports \(module)")
            }
        }
    }

    @Test func unsafeStaysInItsFolders() {
        let folders = [
            "Sources/HTTPTransport/HTTP2/", "Sources/Compression/", "Sources/LlamaEngine/",
            "Sources/Tokenization/", "Sources/HTTPTransport/Names/",
            "Sources/Gateway/Supervision/Spawning/",
        ]
        for file in SourceTree.sources where !folders.contains(where: file.path.hasPrefix) {
            for (number, line) in file.code {
                let words = line.split { !$0.isLetter }
                #expect(!words.contains("unsafe"), "\(file.path):\(number) is unsafe")
            }
        }
    }

    @Test func uncheckedSendableIsExplained() {
        for file in SourceTree.sources {
            for (number, line) in file.code
            where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
                let above = file.lines[max(0, number - 7)..<(number - 1)]
                #expect(
                    above.contains { $0.contains("//") },
                    "\(file.path):\(number) has no comment that names the happens-before edge")
            }
        }
    }

    /// Each look at such a closure wraps it once more: memory, and one day the stack's end.
    @Test func noLockHoldsAClosureByItself() {
        for file in SourceTree.sources {
            for (number, line) in file.code where line.contains("Mutex<") {
                #expect(!line.contains("->"), "\(file.path):\(number): put it into a struct")
            }
        }
    }

    @Test func nothingIsPublicAndNothingIsForced() {
        for file in SourceTree.sources {
            for (number, line) in file.code {
                let words = line.split { !($0.isLetter || $0 == "!") }
                #expect(!words.contains("public"), "\(file.path):\(number) is public")
                #expect(!words.contains("try!"), "\(file.path):\(number) forces a try")
            }
        }
    }

    @Test func linesFilesAndMarkers() {
        for file in SourceTree.sources {
            #expect(file.lines.count <= 800, "\(file.path) has \(file.lines.count) lines")
            for (index, line) in file.lines.enumerated() {
                #expect(line.count <= 100, "\(file.path):\(index + 1) is \(line.count) wide")
                for marker in ["FIXME", "XXX", "HACK"] where line.contains(marker) {
                    Issue.record("\(file.path):\(index + 1) has \(marker)")
                }
                if line.contains("TODO"), !line.contains("#") {
                    Issue.record("\(file.path):\(index + 1) has a TODO without an issue")
                }
            }
        }
    }

    @Test func statusNumbersStayInTheirTables() {
        // One table for clients, one for what the transport refuses by itself.
        let tables = [
            "Sources/InferenceAPI/APIError+Status.swift", "Sources/HTTPTransport/",
            "Sources/GRPC/", "loadtest/",
        ]
        for file in SourceTree.sources where !tables.contains(where: file.path.hasPrefix) {
            for (number, line) in file.code
            where line.contains("status: 4") || line.contains("status: 5") {
                Issue.record("\(file.path):\(number) names a status")
            }
        }
    }

    @Test func testsDoNotSleep() {
        for file in SourceTree.files
        where file.path.hasPrefix("Tests/") && !file.path.hasPrefix("Tests/TidyTests/") {
            for (number, line) in file.code {
                for word in ["Task.sleep", "usleep(", "Thread.sleep"] where line.contains(word) {
                    Issue.record("\(file.path):\(number) sleeps")
                }
            }
        }
    }

    private static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "import"), index <= 2, index + 1 < words.count else {
            return nil
        }
        guard
            words[..<index].allSatisfy({
                [
                    "package", "internal", "private", "fileprivate", "public", "@testable",
                    "@preconcurrency",
                ]
                .contains($0)
            })
        else { return nil }
        return String(words[index + 1].split(separator: ".")[0])
    }
}
