import Admission
import InferenceTypes

/// `admission-benchmark [--decisions N] [--tenants N] [QUEUED …]`: how long letting a request in
/// and handing one out take, by number of tickets that wait.
///
/// Two decisions are made for each request besides routing. Admit: take it from the limits of its
/// key and tenant, predict its wait, queue it. Hand out: choose who is next, charge for it, correct
/// the charge and give its limits back.
@main
struct AdmissionBenchmark {
    var decisions = 200_000
    var tenants = 10_000
    var depths: [Int] = []

    static func main() {
        var benchmark = AdmissionBenchmark()
        guard benchmark.parse(CommandLine.arguments.dropFirst()) else {
            print("usage: admission-benchmark [--decisions N] [--tenants N] [QUEUED ...]")
            return
        }
        print("\(benchmark.tenants) tenants, \(benchmark.decisions) decisions, times in us")
        print("queued  admit p50  p99  hand out p50  p99  both p50  p99  p999")
        for depth in benchmark.depths.isEmpty ? [1_000, 10_000, 100_000] : benchmark.depths {
            var run = AdmissionRun(benchmark, queued: depth)
            run.decide()
        }
    }

    private mutating func parse(_ arguments: ArraySlice<String>) -> Bool {
        var rest = arguments
        while let argument = rest.popFirst() {
            if argument.hasPrefix("--") {
                guard let value = rest.popFirst(), let number = Int(value), number > 0 else {
                    return false
                }
                switch argument {
                case "--decisions": decisions = number
                case "--tenants": tenants = number
                default: return false
                }
            } else {
                guard let depth = Int(argument), depth > 0 else { return false }
                depths.append(depth)
            }
        }
        return true
    }
}
