/// All values in force as YAML, each with where it came from. What has no value is left out.
enum EffectiveConfiguration {
    static func text(
        _ command: SettingsCommand, _ values: SettingValues, _ file: ConfigurationFile?
    ) -> String {
        let described = file.flatMap { $0.sectionSources.isEmpty ? nil : $0 }
        var writer = Writer()
        writer.write(values, Setting.ofGateway, indent: 0)
        guard let described else {
            writer.write(values, command.oneModel, indent: 0)
            return writer.text
        }
        writer.write("models:")
        for model in described.models {
            writer.writeItem(model.values, Setting.ofModels, indent: 1)
        }
        if !described.splits.isEmpty { writer.write("splits:") }
        for split in described.splits {
            writer.write("  \(Writer.scalar(split.name)):  # \(split.source.comment)")
            for share in split.shares {
                writer.write(
                    "    \(Writer.scalar(share.model)): \(share.weight)  # \(share.source.comment)")
            }
        }
        writer.write("pools:")
        for pool in described.pools { writer.write(pool) }
        return writer.text
    }

    private struct Writer {
        var text = ""

        mutating func write(_ line: String) { text += line + "\n" }

        mutating func write(_ values: SettingValues, _ settings: [Setting], indent: Int) {
            for setting in settings {
                guard let value = values[setting] else { continue }
                let margin = String(repeating: "  ", count: indent)
                let text = Self.value(value.value)
                write("\(margin)\(setting.name): \(text)  # \(value.source.comment)")
            }
        }

        /// An item of a list, whose first line has the dash.
        mutating func writeItem(_ values: SettingValues, _ settings: [Setting], indent: Int) {
            var item = Writer()
            item.write(values, settings, indent: indent + 1)
            let margin = String(repeating: "  ", count: indent)
            text += "\(margin)- " + item.text.dropFirst(margin.count + 2)
        }

        mutating func write(_ pool: ConfigurationFile.Pool) {
            writeItem(pool.values, Setting.ofPools, indent: 1)
            if let supervised = pool.supervised {
                write("    supervised:")
                write(supervised, Setting.ofSupervised, indent: 3)
            }
            if !pool.workers.isEmpty { write("    workers:") }
            for worker in pool.workers { writeItem(worker, Setting.ofWorkers, indent: 3) }
            if !pool.dns.isEmpty { write("    dns:") }
            for entry in pool.dns { writeItem(entry, Setting.ofDNS, indent: 3) }
            if let upstream = pool.upstream {
                write("    upstream:")
                write(upstream, Setting.ofUpstreams, indent: 3)
            }
            if let link = pool.link {
                write("    link:")
                write(link, Setting.ofLink, indent: 3)
            }
        }

        private static func value(_ value: SettingValue) -> String {
            switch value {
            case .text(let text): scalar(text)
            case .list(let texts): "[" + texts.map(scalar).joined(separator: ", ") + "]"
            default: value.text
            }
        }

        /// Plain where that cannot be misread, quoted otherwise.
        static func scalar(_ text: String) -> String {
            let isPlain =
                text.first.map { $0.isASCII && ($0.isLetter || $0 == "/") } ?? false
                && text.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"):
                        true
                    default: false
                    }
                }
            let isWord = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
                .contains(text.lowercased())
            guard !isPlain || isWord else { return text }
            var quoted = "\""
            for scalar in text.unicodeScalars {
                if scalar == "\"" || scalar == "\\" { quoted += "\\" }
                quoted.unicodeScalars.append(scalar)
            }
            return quoted + "\""
        }
    }
}
