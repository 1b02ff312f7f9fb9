// swift-tools-version: 6.2
import PackageDescription

// Imports point only downwards; ARCHITECTURE.md draws the graph and says what it forbids.

/// Set by scripts/fuzz.sh and scripts/sanitize.sh. Our targets are instrumented and keep their
/// assertions; dependencies are built as always, so that neither takes half an hour.
let isFuzzing = Context.environment["FUZZ"] != nil
let isSanitizing = Context.environment["SANITIZE"] != nil
let sanitizers = isFuzzing ? "-sanitize=fuzzer,address" : "-sanitize=address"
let instrumentation: [SwiftSetting] =
    isFuzzing || isSanitizing ? [.unsafeFlags([sanitizers, "-assert-config", "Debug"])] : []

/// Settings of every hand-written target: Swift 6 mode, warnings as errors, each unsafe
/// expression marked, and imports internal unless a signature needs more.
let strict: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .treatAllWarnings(as: .error),
        .strictMemorySafety(),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("ExistentialAny"),
    ] + instrumentation

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let arguments: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")

/// An installed tree has its libraries in `lib`, beside `bin`.
let besideTheBinary: [LinkerSetting] = [
    .unsafeFlags(["-Xlinker", "-rpath", "-Xlinker", "$ORIGIN/../lib"])
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.init(stringLiteral: name)] + dependencies,
        exclude: exclude,
        swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)],
        linkerSettings: isSanitizing ? [.unsafeFlags([sanitizers])] : [])
}

/// libFuzzer's runtime brings a `main` that only lld lets the target's own one replace.
func fuzzer(_ name: String, _ target: String) -> Target {
    .executableTarget(
        name: "Fuzz\(name)", dependencies: ["FuzzDriver", .init(stringLiteral: target)],
        path: "Fuzz/Fuzz\(name)", swiftSettings: [.swiftLanguageMode(.v6)],
        linkerSettings: [.unsafeFlags([sanitizers, "-use-ld=lld"])])
}

let fuzzers: [Target] = [
    .target(
        name: "FuzzDriver", path: "Fuzz/FuzzDriver", swiftSettings: [.swiftLanguageMode(.v6)]),
    fuzzer("HTTP2", "HTTPTransport"), fuzzer("HTTP1", "HTTPTransport"),
    fuzzer("JSON", "InferenceAPI"), fuzzer("Upstream", "InferenceAPI"),
    fuzzer("GRPC", "GRPC"), fuzzer("Engine", "EngineProtocol"),
]

let package = Package(
    name: "switchyard",
    products: [
        .executable(name: "switchyard", targets: ["switchyard"]),
        .executable(name: "switchyard-load", targets: ["switchyard-load"]),
        .executable(name: "simulated-upstream", targets: ["simulated-upstream"]),
        .executable(name: "routing-benchmark", targets: ["routing-benchmark"]),
        .executable(name: "admission-benchmark", targets: ["admission-benchmark"]),
        .executable(name: "recording-benchmark", targets: ["recording-benchmark"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(
            url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
    ],
    targets: [
        // Programs.
        .executableTarget(
            name: "switchyard",
            dependencies: [
                "Configuration", "Gateway", "Worker", "Admission", "Routing", "HTTPTransport",
                "InferenceAPI", "Licensing", "Scheduling", "LlamaEngine", "Storage",
                "EngineProtocol", arguments, log,
            ] + nio,
            swiftSettings: strict, linkerSettings: besideTheBinary),
        .executableTarget(
            name: "switchyard-load",
            dependencies: ["LoadGenerator", "HTTPTransport", arguments],
            path: "loadtest/switchyard-load", swiftSettings: strict),
        .executableTarget(
            name: "simulated-upstream", dependencies: ["SimulatedUpstream", arguments] + nio,
            path: "loadtest/simulated-upstream", swiftSettings: strict),
        .target(
            name: "SimulatedUpstream",
            dependencies: [.product(name: "NIOHTTP1", package: "swift-nio")] + nio,
            path: "loadtest/SimulatedUpstream", swiftSettings: strict),
        .executableTarget(
            name: "routing-benchmark", dependencies: ["Routing", "InferenceTypes"],
            path: "loadtest/routing-benchmark", swiftSettings: strict),
        .executableTarget(
            name: "admission-benchmark", dependencies: ["Admission", "InferenceTypes"],
            path: "loadtest/admission-benchmark", swiftSettings: strict,
            linkerSettings: [.linkedLibrary("m")]),
        .executableTarget(
            name: "recording-benchmark", dependencies: ["LoadGenerator"],
            path: "loadtest/recording-benchmark", swiftSettings: strict),
        .target(
            name: "LoadGenerator",
            dependencies: [
                "GRPC", "HTTPTransport", "InferenceTypes",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "Yams", package: "Yams"),
            ] + nio,
            path: "loadtest/LoadGenerator", swiftSettings: strict),

        // What programs are told. YAML is known here and, for scenarios, to the load generator.
        library(
            "Configuration",
            [
                "Gateway", "Admission", "Routing", "HTTPTransport", "InferenceTypes", "Storage",
                .product(name: "Yams", package: "Yams"),
            ]),

        // Assemblies.
        library(
            "Gateway",
            [
                "Admission", "Routing", "InferenceAPI", "HTTPTransport", "EngineProtocol", "GRPC",
                "Tokenization", "Metrics", "InferenceTypes", "Storage", "Licensing", "XAIProto",
                "CSpawn", protobuf, log,
            ] + nio),
        library(
            "Worker",
            [
                "Scheduling", "Routing", "LlamaEngine", "EngineProtocol", "HTTPTransport", "GRPC",
                "Metrics", "InferenceTypes", "Tokenization", "Compression", log,
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ] + nio),

        // Edges.
        library(
            "InferenceAPI",
            [
                "InferenceTypes", "XAIProto", "GRPC", protobuf,
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        library(
            "EngineProtocol",
            [
                "EngineProto", "GRPC", "HTTPTransport", "InferenceTypes", protobuf,
                .product(name: "Crypto", package: "swift-crypto"),
            ] + nio),
        library("GRPC", ["HTTPTransport", "Compression"] + nio),
        library(
            "HTTPTransport",
            [
                "CNGHTTP2", "Compression", log,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nio),
        library("Tokenization", ["CLlama", "CLlamaChat", "InferenceTypes"]),
        // Optimised in debug builds too: sampling's SIMD kernels are 100 times slower without, and
        // debug tests run the real model.
        .target(
            name: "LlamaEngine", dependencies: ["CLlama", "Scheduling", "InferenceTypes"],
            swiftSettings: strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
        library("Compression", ["CZlib", .product(name: "NIOCore", package: "swift-nio")]),
        library("Metrics"),
        library("Licensing", [.product(name: "Crypto", package: "swift-crypto")]),
        library("Storage", [.product(name: "GRDB", package: "GRDB.swift")]),

        // Core: no NIO, no Foundation, no clock, no logging.
        library(
            "Admission",
            ["InferenceTypes", .product(name: "Collections", package: "swift-collections")]),
        library("Routing", ["InferenceTypes"]),
        library(
            "Scheduling",
            ["InferenceTypes", .product(name: "Collections", package: "swift-collections")]),

        // Vocabulary.
        library("InferenceTypes"),

        // Generated: committed, never edited by hand.
        .target(
            name: "EngineProto", dependencies: [protobuf],
            swiftSettings: [.swiftLanguageMode(.v6)]),
        .target(
            name: "XAIProto", dependencies: [protobuf],
            swiftSettings: [.swiftLanguageMode(.v6)]),

        // C.
        .systemLibrary(
            name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CSpawn"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLlama", pkgConfig: "llama"),
        .systemLibrary(name: "CLlamaCommon", pkgConfig: "llama-common"),
        .target(
            name: "CLlamaChat", dependencies: ["CLlamaCommon"],
            cxxSettings: [
                .unsafeFlags(
                    ["-Wno-deprecated-declarations"] + (isSanitizing ? ["-fsanitize=address"] : []))
            ]),

        // Tests.
        tests("Configuration", ["Gateway", "HTTPTransport", "Routing"]),
        tests(
            "Gateway",
            [
                "Admission", "GRPC", "HTTPTransport", "InferenceAPI", "InferenceTypes", "Routing",
                "Tokenization", log,
            ] + nio),
        tests(
            "Worker",
            [
                "Scheduling", "Routing", "EngineProto", "EngineProtocol", "HTTPTransport", "GRPC",
                "InferenceTypes", "Tokenization", "CLlama", log, protobuf,
            ] + nio),
        tests(
            "InferenceAPI", ["GRPC", "InferenceTypes", "XAIProto", protobuf] + nio,
            exclude: ["Corpus", "Fixtures"]),
        tests(
            "EngineProtocol",
            ["EngineProto", "GRPC", "HTTPTransport", "InferenceTypes", protobuf] + nio,
            exclude: ["Corpus", "Python"]),
        tests("GRPC", ["HTTPTransport"] + nio, exclude: ["Corpus"]),
        tests(
            "HTTPTransport",
            nio + [
                "Compression", log, .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            exclude: ["Corpus"]),
        tests("Tokenization"),
        tests("LlamaEngine", ["CLlama", "InferenceAPI", "InferenceTypes", "Scheduling"]),
        tests("Licensing"), tests("Compression", nio), tests("Metrics"), tests("Admission"),
        tests(
            "Storage",
            [
                "EngineProtocol", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        tests("Routing", ["Admission"]),
        tests("Scheduling"), tests("InferenceTypes"),
        .testTarget(
            name: "LoadTests",
            dependencies: [
                "LoadGenerator", "SimulatedUpstream", "GRPC", "HTTPTransport", "InferenceTypes",
                "XAIProto", "switchyard-load", arguments, protobuf,
                log,
            ] + nio,
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
        .testTarget(name: "TidyTests", swiftSettings: [.swiftLanguageMode(.v6)]),
    ] + (isFuzzing ? fuzzers : []),
    cxxLanguageStandard: .cxx17
)

// The sanitizer is for what calls C; nothing else is built then.
if isSanitizing {
    let programs = [
        "switchyard", "switchyard-load", "simulated-upstream", "routing-benchmark",
        "admission-benchmark", "recording-benchmark", "Configuration", "Gateway", "Worker",
    ]
    let tested = ["HTTPTransport", "Compression", "Tokenization", "LlamaEngine"]
    package.products = []
    package.targets.removeAll { target in
        target.type == .test
            ? !tested.contains { target.name == "\($0)Tests" } : programs.contains(target.name)
    }
}
