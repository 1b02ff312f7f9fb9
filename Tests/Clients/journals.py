"""Reads workers' journals (Sources/EngineProtocol/Journal) and the ledger, each by itself, to compare
them."""

import glob
import os
import sqlite3
import zlib

HEADER = b"SYJRNL1\n"


class Records:
    """The records of one frame's payload."""

    def __init__(self, payload):
        self.payload, self.at = payload, 0

    def number(self):
        value = shift = 0
        while True:
            byte = self.payload[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self):
        length = self.number()
        self.at += length
        return self.payload[self.at - length:self.at].decode()

    def __iter__(self):
        while self.at < len(self.payload):
            kind = self.payload[self.at]
            self.at += 1
            ordinal = self.number()
            if kind == 1:
                begin = {"usage": self.text(), "choice": self.number(), "choices": self.number()}
                begin |= {name: self.text() for name in ("request", "tenant", "application", "key")}
                begin |= {"tier": self.number(), "model": self.text(), "prompt": self.number(),
                          "cached": self.number(), "base": self.number()}
                yield "begin", ordinal, begin
            else:
                yield {2: "tokens", 3: "end"}[kind], ordinal, self.number()


def records(path):
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < len(HEADER):
        return
    assert data.startswith(HEADER), path
    at = len(HEADER)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at:at + 4], "little")
        checksum = int.from_bytes(data[at + 4:at + 8], "little")
        payload = data[at + 8:at + 8 + length]
        if len(payload) < length:
            return  # Torn.
        assert zlib.crc32(payload) == checksum, f"{path} at {at}"
        yield from Records(payload)
        at += 8 + length


def journaled(data_directory):
    """Of each request: its begin, and the distinct positions of each choice, as workers made them."""
    requests = {}
    paths = glob.glob(os.path.join(data_directory, "journals", "**", "*.[0-9]*"), recursive=True)
    lives = {}
    for path in sorted(paths, key=os.path.basename):
        life = lives.setdefault(os.path.basename(path).rsplit(".", 1)[0], {})
        for kind, ordinal, value in records(path):
            if kind == "begin":
                request = requests.setdefault(value["usage"], {"begin": value, "positions": {}})
                positions = request["positions"].setdefault(value["choice"], set())
                life[ordinal] = [positions, value["base"]]
            elif kind == "tokens":
                positions, end = life[ordinal]
                positions.update(range(end, value))
                life[ordinal][1] = max(end, value)
    return {usage: request for usage, request in requests.items()
            if any(request["positions"].values())}


def ledger(data_directory):
    """Of each request: the sums of its rows."""
    database = sqlite3.connect(
        f"file:{os.path.join(data_directory, 'switchyard.sqlite')}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    rows = database.execute("""
        SELECT usage_id, key_id, SUM(kind = 'settlement') settlements, COUNT(*) rows,
            SUM(prompt_tokens) prompt, SUM(completion_tokens + reasoning_tokens) generated,
            SUM(ticks) ticks, GROUP_CONCAT(finish_reason) reasons
        FROM usage GROUP BY usage_id""").fetchall()
    database.close()
    return {row["usage_id"]: dict(row) for row in rows}


def difference(data_directory):
    """What the two disagree about; nothing, if all is well."""
    made, billed = journaled(data_directory), ledger(data_directory)
    found = []
    for usage in sorted(set(made) | set(billed)):
        positions = made.get(usage, {"positions": {}})["positions"]
        distinct = sum(map(len, positions.values()))
        row = billed.get(usage, {"generated": 0, "settlements": 0})
        if distinct != row["generated"] or (distinct and row["settlements"] != 1):
            found.append((usage, distinct, row))
    return found
