import Foundation

/// The value of the `date` field (RFC 9110 §5.6.7), made once per second at most. Owned by one
/// connection.
struct HTTPDate {
    private var second: Int64 = .min
    private var text = ""

    /// Now, as "Sun, 06 Nov 1994 08:49:37 GMT".
    mutating func now() -> String {
        let second = Int64(Date().timeIntervalSince1970)
        if second != self.second {
            self.second = second
            text = Self.format(second)
        }
        return text
    }

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The IMF-fixdate of a time in seconds since 1970-01-01T00:00:00Z, from year 1970 to 9999.
    static func format(_ second: Int64) -> String {
        let day = second / 86_400
        let rest = second % 86_400
        // Days to civil date: eras of 400 years that start on 1 March, so leap days come last.
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
        let monthIndex = Int(month < 10 ? month + 2 : month - 10)
        let year = yearOfEra + era * 400 + (monthIndex < 2 ? 1 : 0)
        return "\(days[Int((day + 4) % 7)]), \(two(dayOfMonth)) \(months[monthIndex]) \(year) "
            + "\(two(rest / 3_600)):\(two(rest / 60 % 60)):\(two(rest % 60)) GMT"
    }

    private static func two(_ number: Int64) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
