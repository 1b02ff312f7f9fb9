import Testing

@testable import LoadGenerator

extension LoadReport {
    /// The report of what a test measured; open loop where there is a `rate`.
    static func sample(
        _ measured: Measurements, seconds: Double, rate: Double? = nil
    ) throws -> LoadReport {
        let target = try #require(LoadTarget(url: "http://127.0.0.1:1"))
        var configuration = LoadConfiguration(targets: [target])
        configuration.work = .small
        configuration.extent = .seconds(seconds)
        if let rate {
            configuration.load = .open(ArrivalSchedule(shape: .constant, rate: rate, seed: 1))
        }
        return LoadReport(
            configuration, measured, MeasuredWindow(seconds: seconds), connections: 1)
    }
}
