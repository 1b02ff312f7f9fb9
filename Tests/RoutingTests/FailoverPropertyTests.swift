import Testing

@testable import Routing

@Suite struct FailoverPropertyTests {
    /// 100,000 operations in all. The digests are written down: each process must find the same.
    @Test(
        arguments: [
            (0, 10_613_720_861_567_015_955), (1, 18_199_864_326_320_125_923),
            (2, 15_805_321_880_537_797_015), (3, 9_499_815_234_542_407_583),
        ] as [(UInt64, UInt64)])
    func randomFaultsLoseNothing(seed: UInt64, digest: UInt64) {
        var world = FailoverWorld(seed: seed)
        for _ in 0..<25_000 {
            world.step()
            world.checkInvariants()
        }
        #expect(world.digest == digest)
        // The operations reached what they are about.
        #expect(world.finished > 1_000 && world.failed > 100 && world.resumed > 500)
        #expect(world.openings > 10 && world.denied > 10)
        world.settle()
        world.checkInvariants()
    }

    @Test func anotherSeedGivesAnotherDigest() {
        var (one, other) = (FailoverWorld(seed: 1), FailoverWorld(seed: 2))
        for _ in 0..<500 {
            one.step()
            other.step()
        }
        #expect(one.digest != other.digest)
    }
}
