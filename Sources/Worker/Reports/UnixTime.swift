import Foundation

/// Wall-clock time, for what is told to others.
enum UnixTime {
    static func seconds() -> Double { Date().timeIntervalSince1970 }
}
