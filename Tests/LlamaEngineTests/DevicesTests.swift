import Foundation
import Testing

@testable import LlamaEngine

struct DevicesTests {
    private func device(
        _ name: String, _ kind: ComputeDevice.Kind, free: Int = 8 << 30
    ) -> ComputeDevice {
        ComputeDevice(
            libraryName: name, summary: name, kind: kind, freeBytes: free, totalBytes: 16 << 30)
    }

    @Test(arguments: [
        ("CPU", "cpu"), ("CUDA0", "cuda:0"), ("CUDA12", "cuda:12"), ("Vulkan1", "vulkan:1"),
        ("ROCm0", "rocm:0"), ("Metal", "metal"), ("RPC0[10.0.0.1:50052]", "rpc0[10.0.0.1:50052]"),
    ])
    func devicesAreCalledAsPeopleWriteThem(libraryName: String, name: String) {
        #expect(device(libraryName, .gpu).name == name)
    }

    @Test func theChosenDeviceIsTheOneThatWasNamed() throws {
        let devices = [
            device("BLAS", .accelerator), device("CUDA0", .gpu), device("CUDA1", .gpu),
            device("CPU", .cpu),
        ]
        #expect(try ComputeDevice.choose("cuda:1", among: devices).libraryName == "CUDA1")
        #expect(try ComputeDevice.choose("CPU", among: devices).libraryName == "CPU")
        #expect(try ComputeDevice.choose(nil, among: devices).libraryName == "CUDA0")
        #expect(try ComputeDevice.choose(nil, among: [devices[0], devices[3]]).name == "cpu")
        for name in ["cuda:2", "blas", "gpu", ""] {
            #expect(
                throws: LlamaEngineError.deviceUnknown(
                    name: name, known: ["cuda:0", "cuda:1", "cpu"])
            ) { try ComputeDevice.choose(name, among: devices) }
        }
    }

    @Test func thisMachineHasACPUWithMemory() throws {
        let cpu = try ComputeDevice.choose("cpu")
        #expect(cpu.freeBytes > 0 && cpu.freeBytes <= cpu.totalBytes)
        let available = try #require(HostMemory.availableBytes())
        #expect(available > 0)
    }

    @Test func theTightestLimitOfMemoryCounts() {
        func available(_ files: [String: String]) -> Int? {
            HostMemory.availableBytes { files[$0] }
        }
        var files = ["/proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n"]
        #expect(available([:]) == nil)
        #expect(available(files) == 8_192_000)
        // Version 2, limited above the process's own group; its page cache gives way.
        files["/proc/self/cgroup"] = "0::/pods/one\n"
        files["/sys/fs/cgroup/pods/one/memory.max"] = "max\n"
        files["/sys/fs/cgroup/pods/one/memory.current"] = "900000\n"
        files["/sys/fs/cgroup/pods/memory.max"] = "1000000\n"
        files["/sys/fs/cgroup/pods/memory.current"] = "900000\n"
        #expect(available(files) == 100_000)
        files["/sys/fs/cgroup/pods/memory.stat"] =
            "anon 1\ninactive_file 200000\nactive_file 50000\n"
        #expect(available(files) == 350_000)
        files["/sys/fs/cgroup/pods/memory.current"] = "2000000\n"
        #expect(available(files) == 0)
        // Version 1, where the plain fields leave out the groups below.
        files = [
            "/proc/self/cgroup": "5:cpu:/\n4:cpuset,memory:/a\n0::/\n",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "500000\n",
            "/sys/fs/cgroup/memory/a/memory.usage_in_bytes": "400000\n",
            "/sys/fs/cgroup/memory/a/memory.stat":
                "inactive_file 1\ntotal_inactive_file 30000\ntotal_active_file 10000\n",
        ]
        #expect(available(files) == 140_000)
    }

    @Test(.enabled(if: TestModel.isPresent, TestModel.absence))
    func aHeaderSaysWhatTheModelTakes() throws {
        let header = try ModelHeader(path: TestModel.path!)
        #expect(header.architecture == "llama" && header.layers == 30)
        #expect(header.trainingContextTokens == 8_192 && header.unsuitability == nil)
        // 30 layers of 3 heads of 64, keys and values, 2 bytes each.
        #expect(header.cacheBytesPerToken == 30 * 3 * 64 * 2 * 2)
        let engine = try LlamaCppEngine(TestModel.configuration())
        #expect(header.weightBytes == Int(engine.model.bytes))
    }

    @Test(.enabled(if: TestModel.isPresent, TestModel.absence))
    func whatDoesNotFitIsRefusedWithItsNumbers() throws {
        let header = try ModelHeader(path: TestModel.path!)
        var configuration = TestModel.configuration(cells: 16 * 4_096)
        configuration.memoryMarginBytes = 10 << 20
        let requirement = MemoryRequirement(header, configuration)
        #expect(requirement.cacheBytes == 65_536 * 23_040)
        #expect(
            requirement.totalBytes == header.weightBytes + requirement.cacheBytes + 10 << 20)
        configuration.device = device("CPU", .cpu, free: requirement.totalBytes)
        try configuration.check(header)
        configuration.device?.freeBytes -= 1
        #expect(
            throws: LlamaEngineError.memoryShort(
                device: "cpu", requirement: requirement, freeBytes: requirement.totalBytes - 1)
        ) { try configuration.check(header) }
        // Its engine refuses as well, before it loads anything.
        #expect(throws: LlamaEngineError.self) { try LlamaCppEngine(configuration) }
        // A part of the layers takes a part of the device.
        configuration.device = device("CUDA0", .gpu, free: requirement.totalBytes)
        configuration.gpuLayers = 10
        #expect(
            MemoryRequirement(header, configuration).weightBytes == header.weightBytes / 30 * 10)
        configuration.cacheCells = 16 * 8_193
        #expect(
            throws: LlamaEngineError.contextTooLong(
                tokens: 16 * 8_193, slots: 16, perSlot: 8_193, trained: 8_192)
        ) { try configuration.check(header) }
    }

    /// Streams of their own: the library's rounding, the spare sequences and the one to exchange.
    @Test func separateCellsAreCountedAsTheLibraryMakesThem() throws {
        let path = try GGUFFile.write([
            .text("general.architecture", "llama"), .number("llama.block_count", 2),
            .number("llama.embedding_length", 64), .number("llama.attention.head_count", 4),
            .numbers("llama.attention.head_count_kv", [2, 0]),
        ])
        defer { try? FileManager.default.removeItem(atPath: path) }
        let header = try ModelHeader(path: path)
        // The second layer keeps nothing.
        #expect(header.cacheBytesPerToken == 2 * (16 + 16) * 2)
        var configuration = LlamaEngineConfiguration(modelPath: path)
        configuration.cacheLayout = .separate
        configuration.slots = 4
        configuration.maxSequences = 6
        configuration.cacheCells = 4 * 300
        #expect(
            MemoryRequirement(header, configuration).cacheBytes
                == 512 * 7 * header.cacheBytesPerToken)
    }

    @Test func embeddingModelsAreToldFromOthers() throws {
        for key in [
            GGUFFile.Entry.number("x.pooling_type", 3), .truth("x.attention.causal", false),
        ] {
            let path = try GGUFFile.write([.text("general.architecture", "x"), key])
            defer { try? FileManager.default.removeItem(atPath: path) }
            let header = try ModelHeader(path: path)
            #expect(header.unsuitability?.contains("embedding") == true)
            #expect(throws: LlamaEngineError.self) {
                try LlamaEngineConfiguration(modelPath: path).check(header)
            }
        }
        let path = try GGUFFile.write([
            .text("general.architecture", "x"), .number("x.pooling_type", 0),
            .truth("x.attention.causal", true),
        ])
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try ModelHeader(path: path).unsuitability == nil)
    }

    @Test func whatIsNoModelIsRejected() throws {
        let path = try GGUFFile.write([.text("general.name", "x")])
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(throws: LlamaEngineError.modelRejected(path: path)) { try ModelHeader(path: path) }
        try Data("GGUF".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: LlamaEngineError.modelRejected(path: path)) { try ModelHeader(path: path) }
        #expect(throws: LlamaEngineError.self) { try ModelHeader(path: path + "-none") }
    }
}

/// Writes GGUF files that have keys and no tensors.
private enum GGUFFile {
    enum Entry {
        case text(String, String)
        case number(String, UInt32)
        case numbers(String, [Int32])
        case truth(String, Bool)
    }

    static func write(_ entries: [Entry]) throws -> String {
        var data = Data("GGUF".utf8)
        func append<Number: FixedWidthInteger>(_ number: Number) {
            withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) }
        }
        func append(_ text: String) {
            append(UInt64(text.utf8.count))
            data.append(contentsOf: text.utf8)
        }
        append(UInt32(3))
        append(UInt64(0))
        append(UInt64(entries.count))
        for entry in entries {
            switch entry {
            case .text(let key, let value):
                append(key)
                append(UInt32(8))
                append(value)
            case .number(let key, let value):
                append(key)
                append(UInt32(4))
                append(value)
            case .numbers(let key, let values):
                append(key)
                append(UInt32(9))
                append(UInt32(5))
                append(UInt64(values.count))
                for value in values { append(value) }
            case .truth(let key, let value):
                append(key)
                append(UInt32(7))
                append(UInt8(value ? 1 : 0))
            }
        }
        let path = NSTemporaryDirectory() + "sy-\(UUID().uuidString).gguf"
        try data.write(to: URL(fileURLWithPath: path))
        return path
    }
}
