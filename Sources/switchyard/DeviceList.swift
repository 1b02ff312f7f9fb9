import Foundation
import LlamaEngine

/// `switchyard worker --list-devices`: what `--device` may be on this machine.
enum DeviceList {
    private struct Device: Encodable {
        var name: String
        var description: String
        var type: String
        var freeBytes: Int
        var totalBytes: Int
        /// Whether a worker can run there.
        var usable: Bool

        enum CodingKeys: String, CodingKey {
            case name, description, type, usable
            case freeBytes = "free_bytes"
            case totalBytes = "total_bytes"
        }
    }

    static func write(asJSON: Bool) throws {
        let devices = ComputeDevice.all()
        guard asJSON else {
            return table(devices).forEach { Output.line($0) }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let list = devices.map {
            Device(
                name: $0.name, description: $0.summary, type: $0.kind.rawValue,
                freeBytes: $0.freeBytes, totalBytes: $0.totalBytes, usable: $0.runsModels)
        }
        let text = try encoder.encode(["devices": list])
        Output.line(String(decoding: text, as: UTF8.self))
    }

    private static func table(_ devices: [ComputeDevice]) -> [String] {
        var rows = [["DEVICE", "TYPE", "FREE MIB", "TOTAL MIB", "DESCRIPTION"]]
        rows += devices.map { device in
            [
                device.name, device.runsModels ? device.kind.rawValue : "\(device.kind) (unused)",
                "\(device.freeBytes >> 20)", "\(device.totalBytes >> 20)", device.summary,
            ]
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { cell, width in
                cell.padding(toLength: width, withPad: " ", startingAt: 0)
            }.joined(separator: "  ").trimmingCharacters(in: .whitespaces)
        }
    }
}
