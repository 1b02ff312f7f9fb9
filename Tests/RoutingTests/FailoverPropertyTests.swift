import Testing

@testable import Routing

@Suite struct FailoverPropertyTests {
    /// 100,000 operations in all. The digests are written down: each process must find the same.
    @Test(
        arguments: [
            (0, 6_465_857_700_926_506_685), (1, 1_843_849_655_318_337_544),
            (2, 13_975_497_591_945_805_827), (3, 13_878_636_898_893_667_641),
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
