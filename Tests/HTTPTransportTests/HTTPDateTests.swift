import Foundation
import Testing

@testable import HTTPTransport

@Suite struct HTTPDateTests {
    @Test func formatsTheExampleOfTheSpecification() {
        #expect(HTTPDate.format(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.format(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(HTTPDate.format(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(HTTPDate.format(4_107_542_399) == "Sun, 28 Feb 2100 23:59:59 GMT")
        #expect(HTTPDate.format(4_107_542_400) == "Mon, 01 Mar 2100 00:00:00 GMT")
    }

    @Test func agreesWithFoundationOnEveryDayOfACentury() {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        for day in stride(from: Int64(0), to: 36_525, by: 7) {
            let second = day * 86_400 + day % 86_400
            let expected = formatter.string(from: Date(timeIntervalSince1970: Double(second)))
            #expect(HTTPDate.format(second) == expected)
        }
    }
}
