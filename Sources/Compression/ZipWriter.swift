internal import CZlib
package import NIOCore

/// A ZIP archive in memory (APPNOTE.TXT 6.3.10), every file deflated. The same files give the same
/// bytes: entries have no times of their own.
package struct ZipWriter {
    private var output = ByteBuffer()
    private var directory = ByteBuffer()
    private var count: UInt16 = 0

    /// Version 2.0 of the format: deflate.
    private static let version: UInt16 = 20
    /// Bit 11: names are UTF-8.
    private static let flags: UInt16 = 1 << 11
    private static let deflated: UInt16 = 8
    /// 1980-01-01, the format's first day, 00:00.
    private static let date: UInt16 = 1 << 5 | 1
    private static let time: UInt16 = 0

    package init() {}

    /// Adds a file. Sizes are below 4 GiB in all and files fewer than 65,536, or the process ends:
    /// there is no ZIP64 here. Throws what `Compressor` throws.
    package mutating func add(
        name: String, _ content: ByteBuffer
    ) throws(CompressionError) {
        var compressed = ByteBuffer()
        try Compressor.compress(content, .raw, parameters: .smallest, into: &compressed)
        var facts = ByteBuffer()
        facts.writeMultipleIntegers(
            Self.version, Self.flags, Self.deflated, Self.time, Self.date,
            endianness: .little)
        facts.writeMultipleIntegers(
            Self.checksum(content), UInt32(compressed.readableBytes),
            UInt32(content.readableBytes), UInt16(name.utf8.count), UInt16(0),
            endianness: .little)
        let offset = UInt32(output.writerIndex)
        // Local file header (§4.3.7), name, content.
        output.writeInteger(0x0403_4B50, endianness: .little, as: UInt32.self)
        output.writeImmutableBuffer(facts)
        output.writeString(name)
        output.writeBuffer(&compressed)
        // Central directory header (§4.3.12): made by the same version; no comment, disk 0, no
        // attributes.
        directory.writeInteger(0x0201_4B50, endianness: .little, as: UInt32.self)
        directory.writeInteger(Self.version, endianness: .little)
        directory.writeBuffer(&facts)
        directory.writeMultipleIntegers(
            UInt16(0), UInt16(0), UInt16(0), UInt32(0), offset, endianness: .little)
        directory.writeString(name)
        count += 1
    }

    /// The archive, with its central directory (§4.3.16).
    package consuming func finish() -> ByteBuffer {
        var archive = output
        let offset = UInt32(archive.writerIndex)
        archive.writeImmutableBuffer(directory)
        archive.writeInteger(0x0605_4B50, endianness: .little, as: UInt32.self)
        archive.writeMultipleIntegers(
            UInt16(0), UInt16(0), count, count, UInt32(directory.readableBytes), offset, UInt16(0),
            endianness: .little)
        return archive
    }

    private static func checksum(_ content: ByteBuffer) -> UInt32 {
        unsafe content.withUnsafeReadableBytes { bytes in
            // Takes any length that fits its 32 bits; returns the checksum.
            UInt32(
                truncatingIfNeeded: unsafe crc32(
                    0, bytes.bindMemory(to: UInt8.self).baseAddress, UInt32(bytes.count)))
        }
    }
}
