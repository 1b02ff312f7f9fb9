import InferenceTypes
import Testing

@testable import Admission

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

@Suite struct ReturnPromisesTests {
    @Test func aPlaceIsKeptFromItsTimeForAMoment() {
        var promises = ReturnPromises()
        promises.promise(1, at: at(1), now: at(0))
        promises.promise(2, at: at(2), now: at(0))
        #expect(promises.places(now: at(0.9)) == 0)
        let early = promises.keep(1, now: at(0.9))
        #expect(!early && promises.places(now: at(1)) == 1)
        #expect(promises.places(now: at(2)) == 2)
        let (first, again) = (promises.keep(1, now: at(2)), promises.keep(1, now: at(2)))
        #expect(first && !again && promises.places(now: at(2)) == 1)
        #expect(promises.places(now: at(4.1)) == 0 && promises.count == 0)
    }

    @Test func aRequestHasOnePlace() {
        var promises = ReturnPromises()
        for second in 1...5 { promises.promise(7, at: at(Double(second)), now: at(0)) }
        #expect(promises.places(now: at(3)) == 0 && promises.places(now: at(5)) == 1)
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func placesAreThoseOfOpenPromises(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var promises = ReturnPromises()
        var model: [UInt64: Instant] = [:]
        var (now, last) = (at(0), at(0))
        for _ in 0..<2_000 {
            now = now.advanced(byNanoseconds: Int64.random(in: 0..<300_000_000, using: &random))
            model = model.filter {
                now.nanoseconds(since: $0.value) <= ReturnPromises.graceNanoseconds
            }
            let request = UInt64.random(in: 0..<30, using: &random)
            if Bool.random(using: &random) {
                last = max(last, now).advanced(
                    byNanoseconds: Int64.random(in: 1..<200_000_000, using: &random))
                promises.promise(request, at: last, now: now)
                model[request] = last
            } else {
                let kept = promises.keep(request, now: now)
                #expect(kept == (model[request].map { $0 <= now } ?? false))
                if kept { model[request] = nil }
            }
            #expect(promises.places(now: now) == model.values.count { $0 <= now })
            #expect(promises.count == model.count)
        }
    }
}
