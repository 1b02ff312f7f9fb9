import InferenceTypes
import Testing

@testable import Gateway

@Suite struct ServiceLevelsTests {
    private let targets = ServiceLevelTargets(
        timeToFirstTokenNanoseconds: 500, perTokenNanoseconds: 50)

    private func sample(first: Int64, rest: Int64, tokens: Int) -> ServiceLevels.Sample {
        .init(
            end: .finished, firstTokenNanoseconds: first, tokensNanoseconds: rest,
            usage: Usage(promptTokens: 10, completionTokens: tokens))
    }

    @Test func bothTargetsMakeGoodput() {
        let levels = ServiceLevels()
        let subject = ServiceLevels.Subject(tenant: "a", tier: .standard)
        for one in [
            sample(first: 500, rest: 500, tokens: 11), sample(first: 501, rest: 500, tokens: 11),
            sample(first: 500, rest: 510, tokens: 11), sample(first: 1, rest: 0, tokens: 1),
        ] {
            levels.add(one, of: subject, against: targets)
        }
        levels.add(.init(end: .limited), of: subject, against: targets)
        levels.add(.init(end: .shed), of: subject, against: targets)
        let figures = levels.list[0].figures
        #expect(figures.requests == 6 && figures.finished == 4)
        #expect(figures.metFirstToken == 3 && figures.metPerToken == 3)
        #expect(figures.metBoth == 2)
        #expect(figures.limited == 1 && figures.shed == 1)
        #expect(figures.promptTokens == 40 && figures.completionTokens == 34)
    }

    @Test func theLargestAreShownAndNothingIsLost() {
        let levels = ServiceLevels()
        for tenant in 0..<40 {
            for tier in [ServiceTier.priority, .batch] {
                levels.add(
                    sample(first: 1, rest: 1, tokens: tenant + 1),
                    of: .init(tenant: "t\(tenant)", tier: tier), against: targets)
            }
        }
        let shown = levels.largest(32)
        #expect(Set(shown.map(\.subject.tenant)).count == 33)
        #expect(!shown.contains { $0.subject.tenant == "t7" })
        #expect(shown.contains { $0.subject.tenant == "t8" })
        #expect(shown.reduce(0) { $0 + $1.figures.requests } == 80)
        let others = shown.filter { $0.subject.tenant == ServiceLevels.otherTenant }
        #expect(others.map(\.figures.requests) == [8, 8])
    }
}
