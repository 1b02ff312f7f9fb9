"""A comparison's results: all its runs, and which of them count."""

import json


class Results:
    """`entries` are single rounds. `calls` are calls of compare.py, by the time they began, with
    the commit measured and whether their runs were shortened."""

    def __init__(self, entries=(), facts=None, calls=None):
        self.entries, self.facts, self.calls = list(entries), facts or {}, calls or {}

    @classmethod
    def read(cls, path):
        if not path.exists():
            return cls()
        stored = json.loads(path.read_text())
        return cls(stored["runs"], stored["facts"], stored["calls"])

    def text(self):
        """JSON with a line for each entry."""
        lines = ",\n".join(json.dumps(entry, sort_keys=True) for entry in self.entries)
        return (f'{{"facts": {json.dumps(self.facts, indent=1, sort_keys=True)},\n'
                f'"calls": {json.dumps(self.calls, indent=1, sort_keys=True)},\n'
                f'"runs": [\n{lines}\n]}}\n')

    def add(self, call, entry):
        """Earlier entries of the same experiment and peer go when they count no longer."""
        entry["call"] = call["began"]
        self.calls[call["began"]] = call
        self.entries.append(entry)
        key = (entry["experiment"], entry["peer"])
        kept = {call["began"], self._counted(*key)}
        self.entries = [each for each in self.entries
                        if (each["experiment"], each["peer"]) != key or each["call"] in kept]
        used = {each["call"] for each in self.entries}
        self.calls = {began: each for began, each in self.calls.items() if began in used}

    def _of(self, experiment, peer):
        return [entry for entry in self.entries
                if (entry["experiment"], entry["peer"]) == (experiment, peer)]

    def _counted(self, experiment, peer):
        """The call whose rounds count: the latest without a failed or missing one, else that
        with the most good ones."""
        found = {}
        for entry in self._of(experiment, peer):
            found.setdefault(entry["call"], []).append(entry)

        def rank(call):
            good = [entry for entry in found[call] if "result" in entry]
            whole = len(good) >= found[call][0]["of"]
            return (1, call, 0) if whole else (0, len(good), call)

        return max(found, key=rank, default=None)

    def good(self, experiment, peer):
        """The entries that count."""
        call = self._counted(experiment, peer)
        return [entry for entry in self._of(experiment, peer)
                if entry["call"] == call and "result" in entry]

    def rounds(self, experiment, peer):
        return [entry["result"] for entry in self.good(experiment, peer)]

    def peers(self, experiment):
        return list(dict.fromkeys(
            entry["peer"] for entry in self.entries if entry["experiment"] == experiment))

    def failures(self, experiment, peer):
        """What was said, of all calls: also when another call's rounds count."""
        return [entry["error"] for entry in self._of(experiment, peer) if "error" in entry]

    def circumstances(self, experiment):
        """How a panel was measured, in words: rounds, commit, whether shortened; by peer where
        they differ."""
        said = {}
        for peer in self.peers(experiment):
            good = self.good(experiment, peer)
            if not good:
                continue
            call = self.calls[good[0]["call"]]
            missing = good[0]["of"] - len(good)
            words = [f"{len(good)} round{'s' * (len(good) != 1)}"
                     + (f" ({missing} failed or missing)" if missing > 0 else ""),
                     f"commit {call['commit']}"]
            if call["quick"]:
                words.append("shortened runs (--quick)")
            said.setdefault(", ".join(words), []).append(peer)
        if len(said) == 1:
            return next(iter(said))
        return "; ".join(f"{', '.join(peers)}: {words}" for words, peers in said.items())
