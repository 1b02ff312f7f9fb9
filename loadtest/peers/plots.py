"""A comparison's pages: medians and ranges of all tables, and distributions by peer."""

import html
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

from . import tables

WIDTH, LEFT, RIGHT, ROW = 640, 195, 480, 22
STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5c6675; --line: #d5dae1; --us: #0b62c4;
  --others: #7a8493; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a2acba; --line: #39414d;
  --us: #6db1ff; --others: #98a2b1; --paper: #14181f; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1360px; margin: 0 auto; padding: 1.2rem; }
main { display: grid; gap: 2rem 2.5rem; grid-template-columns: repeat(auto-fit,
  minmax(min(100%, 480px), 1fr)); align-items: start; }
figure { margin: 0; break-inside: avoid; }
figcaption { font-weight: 600; }
figure p, .soft { color: var(--soft); font-size: .85rem; margin: .1rem 0 .4rem; }
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 13px; fill: var(--ink); }
svg .head { font-weight: 600; } svg .tick { fill: var(--soft); font-size: 11px; }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
.grid { stroke: var(--line); } .span { stroke: var(--others); stroke-width: 3; }
.dot { fill: var(--others); } .us.span { stroke: var(--us); } .us.dot { fill: var(--us); }
"""


class Scale:
    """From values to x. Logarithmic where they differ by more than 20 times."""

    def __init__(self, values):
        high = max(values, default=1)
        positive = [value for value in values if value > 0]
        self.is_logarithmic = len(positive) == len(values) > 0 and high > 20 * min(positive)
        if self.is_logarithmic:
            self.low = 10 ** math.floor(math.log10(min(positive)))
            self.high = 10 ** math.ceil(math.log10(high))
        else:
            self.low = min(0, *values) if values else 0
            self.high = self.low + _nice(max(high - self.low, 1e-9) / 4) * 4

    def x(self, value):
        if self.is_logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return LEFT + share * (RIGHT - LEFT)

    def ticks(self):
        if not self.is_logarithmic:
            return [self.low + step * (self.high - self.low) / 4 for step in range(5)]
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [10.0 ** power for power in range(first, last + 1)]


def _nice(step):
    """The least of 1, 2, 2.5 and 5 times a power of ten that is not below."""
    power = 10 ** math.floor(math.log10(step))
    return next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= step * 0.999999)


def short(value):
    """Three digits are enough beside a picture."""
    for limit, suffix in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e6 if suffix == 'M' else 1e3):.3g}{suffix}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{html.escape(words)}</text>'


def metric(results, experiment, column, y):
    """Lines of SVG from `y` on, and where they end: a dot for each peer's median, and a line from
    its least round to its greatest."""
    found = {}
    for peer in results.peers(experiment):
        values = column.values(results, experiment, peer)
        if values:
            found[peer] = values
    finite = [value for values in found.values() for value in values if math.isfinite(value)]
    scale = Scale(finite)
    title = column.title + (", logarithmic" if scale.is_logarithmic else "")
    lines = [_text(0, y + 14, title, "head")]
    top, bottom = y + 22, y + 22 + ROW * len(found)
    for tick in scale.ticks():
        x = scale.x(tick)
        lines.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>')
        lines.append(_text(x, bottom + 13, short(tick), "tick middle"))
    for index, (peer, values) in enumerate(found.items()):
        middle = top + ROW * (index + 0.5)
        kind = "us" if peer == "switchyard" else ""
        lines.append(_text(0, middle + 4, tables.label(results, experiment, peer)))
        median = tables.median(values)
        words = tables.number(median, column.digits)
        if math.isfinite(median):
            inside = [value for value in values if math.isfinite(value)]
            low, high = scale.x(min(inside)), scale.x(max(inside))
            lines.append(
                f'<path class="span {kind}" d="M{low - 0.5:.1f} {middle}H{high + 0.5:.1f}"/>'
                f'<circle class="dot {kind}" cx="{scale.x(median):.1f}" cy="{middle}" r="5"/>')
            if len(values) > 1:
                words = (f"{short(median)} ({short(min(values))}–"
                         f"{short(max(values)) if math.isfinite(max(values)) else 'none'})")
        lines.append(_text(WIDTH, middle + 4, words, "end"))
    return lines, bottom + 26


def panel(results, experiment):
    title = tables.PANELS[experiment][0]
    lines, y = [], 0
    for column in tables.shown(results, experiment):
        if column.plotted:
            more, y = metric(results, experiment, column, y)
            lines += more
    if not lines:
        return ""
    said = "".join(f"<p>{html.escape(note)}</p>" for note in tables.notes(results, experiment))
    link = (f' · <a href="runs-{experiment}.html">distributions</a>'
            if experiment in overlaid(results) else "")
    return (f'<figure class="panel"><figcaption>{html.escape(title)}</figcaption>'
            f"<p><code>{experiment}</code>, "
            f"{html.escape(results.circumstances(experiment))}{link}</p>{said}"
            f'<svg viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{html.escape(title)}">'
            + "\n".join(lines) + "</svg></figure>")


def page(results):
    facts = " · ".join(f"{name} {value}" for name, value in sorted(results.facts.items()))
    panels = "\n".join(filter(None, (
        panel(results, name) for name in tables.PANELS if results.peers(name))))
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>Comparison</title><style>{STYLE}</style></head><body>"
            '<h1>Comparison</h1><p class="soft">Dots are medians of rounds, lines reach from the '
            f"least round to the greatest. {html.escape(facts)}</p><main>{panels}</main>"
            "</body></html>\n")


def overlaid(results):
    """{experiment: {peer: the round in the middle}} of those that `switchyard-load` measured."""
    found = {}
    for experiment, (_, columns) in tables.PANELS.items():
        chosen = {}
        for peer in results.peers(experiment):
            rounds = [result for result in results.rounds(experiment, peer)
                      if (result.get("cdfs") or {}).get("interTokenLatency")]
            key = next(column for column in columns if column.plotted)
            rounds.sort(key=lambda result: key.read(result, peer))
            if rounds:
                chosen[peer] = rounds[len(rounds) // 2]
        if len(chosen) > 1:
            found[experiment] = chosen
    return found


def write(results, output, programs):
    """compare.html, and by `switchyard-load report` runs-EXPERIMENT.html."""
    (output / "compare.html").write_text(page(results))
    for old in output.glob("runs-*.html"):
        old.unlink()
    for experiment, chosen in overlaid(results).items():
        with tempfile.TemporaryDirectory(prefix="compare-pages-") as folder:
            files = []
            for peer, result in chosen.items():
                path = Path(folder, f"{peer}.json")
                path.write_text(json.dumps(result))
                files.append(f"{peer}={path}")
            title = f"{tables.PANELS[experiment][0]} ({experiment}, each peer's middle round)"
            done = subprocess.run(
                [programs / "switchyard-load", "report", *files, "--title", title,
                 "-o", output / f"runs-{experiment}.html"], capture_output=True, text=True)
            if done.returncode != 0:
                print(f"compare: no page for {experiment}: {done.stderr.strip()}", file=sys.stderr)
