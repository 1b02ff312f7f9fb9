"""Copies of a GGUF file with other metadata, or without its tensors.

The layout is that of ggml's docs/gguf.md: header, key-value pairs, tensor descriptions, padding,
tensor data. Offsets of tensors count from the start of the data, so the pairs may change length.
"""

import struct

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY = 8, 9
ALIGNMENT = 32


class GGUF:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        magic, self.version, self.tensors, count = struct.unpack_from("<4sIQQ", self.bytes)
        assert magic == b"GGUF" and self.version == 3
        self.position = 24
        # Key → the pair's bytes after the key.
        self.pairs = {}
        for _ in range(count):
            key = self.string().decode()
            start = self.position
            self.skip(self.number("I"))
            self.pairs[key] = self.bytes[start:self.position]
        assert "general.alignment" not in self.pairs
        start = self.position
        for _ in range(self.tensors):
            self.string()
            dimensions = self.number("I")
            self.position += 8 * dimensions + 4 + 8
        self.descriptions = self.bytes[start:self.position]
        self.data = self.bytes[aligned(self.position):]

    def number(self, kind):
        (value,) = struct.unpack_from("<" + kind, self.bytes, self.position)
        self.position += struct.calcsize(kind)
        return value

    def string(self):
        length = self.number("Q")
        self.position += length
        return self.bytes[self.position - length:self.position]

    def skip(self, kind):
        if kind == STRING:
            self.string()
        elif kind == ARRAY:
            item, count = self.number("I"), self.number("Q")
            if item in SIZES:
                self.position += SIZES[item] * count
            else:
                for _ in range(count):
                    self.skip(item)
        else:
            self.position += SIZES[kind]

    def set_string(self, key, text):
        self.pairs[key] = struct.pack("<IQ", STRING, len(text)) + text.encode()

    def set_strings(self, key, texts):
        items = [text.encode() for text in texts]
        self.pairs[key] = struct.pack("<IIQ", ARRAY, STRING, len(items)) + b"".join(
            struct.pack("<Q", len(item)) + item for item in items)

    def strings(self, key):
        value = self.pairs[key]
        kind, item, count = struct.unpack_from("<IIQ", value)
        assert (kind, item) == (ARRAY, STRING)
        position, found = 16, []
        for _ in range(count):
            (length,) = struct.unpack_from("<Q", value, position)
            found.append(value[position + 8:position + 8 + length].decode())
            position += 8 + length
        return found

    def set_integers(self, key, numbers):
        self.pairs[key] = struct.pack("<IIQ", ARRAY, 5, len(numbers)) + struct.pack(
            f"<{len(numbers)}i", *numbers)

    def integers(self, key):
        value = self.pairs[key]
        kind, item, count = struct.unpack_from("<IIQ", value)
        assert (kind, item) == (ARRAY, 5)
        return list(struct.unpack_from(f"<{count}i", value, 16))

    def write(self, path, tensors=True):
        pairs = b"".join(
            struct.pack("<Q", len(key)) + key.encode() + value
            for key, value in self.pairs.items())
        head = struct.pack("<4sIQQ", b"GGUF", self.version, self.tensors if tensors else 0,
                           len(self.pairs)) + pairs
        if tensors:
            head += self.descriptions
        with open(path, "wb") as file:
            file.write(head.ljust(aligned(len(head)), b"\0"))
            if tensors:
                file.write(self.data)
        return path


def aligned(position):
    return (position + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
