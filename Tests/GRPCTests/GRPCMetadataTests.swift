import HTTPTransport
import Testing

@testable import GRPC

@Suite struct GRPCMetadataTests {
    @Test(
        arguments: [
            ("1n", 1), ("5u", 5_000), ("4990m", 4_990_000_000), ("60100m", 60_100_000_000),
            ("27S", 27_000_000_000), ("1M", 60_000_000_000), ("2H", 7_200_000_000_000),
            ("0n", 0), ("99999999H", Int64.max),
        ] as [(String, Int64)])
    func parsesEveryUnitOfTimeout(_ text: String, _ nanoseconds: Int64) {
        #expect(GRPCTimeout.parse(text) == nanoseconds)
    }

    @Test(arguments: ["", "S", "5", "1s", "-1S", "+1S", "1.5S", "123456789n", " 1S", "1S ", "١S"])
    func refusesMalformedTimeouts(_ text: String) {
        #expect(GRPCTimeout.parse(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0n"), (-5, "0n"), (99_999_999, "99999999n"), (100_000_000, "100000u"),
            (100_000_000_001, "100001m"), (5_000_000_000, "5000000u"),
            (Int64.max, "2562048H"),
        ] as [(Int64, String)])
    func formatsTimeoutsRoundedUp(_ nanoseconds: Int64, _ text: String) {
        #expect(GRPCTimeout.format(nanoseconds: nanoseconds) == text)
    }

    @Test func timeoutsNeverShrink() {
        var random = SplitMix(seed: Corpus.seed)
        for shift in 0..<62 {
            let value = Int64.random(in: 0...(1 << shift), using: &random)
            let parsed = GRPCTimeout.parse(GRPCTimeout.format(nanoseconds: value))
            #expect(parsed.map { $0 >= value } == true, "\(value)")
        }
    }

    @Test(
        arguments: [
            ([], ""), ([102], "Zg"), ([102, 111], "Zm8"), ([102, 111, 111], "Zm9v"),
            ([0, 255, 254], "AP/+"),
        ] as [([UInt8], String)])
    func base64HasNoPadding(_ bytes: [UInt8], _ text: String) {
        #expect(Base64.encode(bytes) == text)
        #expect(Base64.decode(text) == bytes)
        #expect(Base64.decode(text + "==") == bytes)
    }

    @Test func base64RefusesOtherCharacters() {
        #expect(Base64.decode("Zm9!") == nil)
        #expect(Base64.decode("Z") == nil)
    }

    @Test func keepsTheApplicationsFieldsOnly() {
        let metadata = GRPCMetadata(
            filtering: [
                "content-type": "application/grpc", "te": "trailers", "grpc-timeout": "1S",
                "grpc-accept-encoding": "gzip", "user-agent": "x", "authorization": "Bearer k",
                "trace-bin": "AAE,AgM",
            ])
        #expect(metadata.fields.map(\.name) == ["user-agent", "authorization", "trace-bin"])
        #expect(metadata["authorization"] == "Bearer k")
        #expect(metadata["trace-bin"] == nil)
        #expect(metadata.bytes(named: "trace-bin") == [0, 1])
    }

    @Test func refusesWhatCannotTravel() {
        var metadata = GRPCMetadata()
        let accepted = [
            metadata.append("key", "value"), metadata.append("key-bin", bytes: [1, 2]),
        ]
        let refused = [
            metadata.append("key-bin", "text"), metadata.append("key", bytes: [1]),
            metadata.append("Key", "value"), metadata.append("grpc-status", "0"),
            metadata.append("key", "line\n"), metadata.append("", "value"),
        ]
        #expect(accepted.allSatisfy { $0 })
        #expect(!refused.contains(true))
        #expect(metadata.fields.count == 2)
    }
}
