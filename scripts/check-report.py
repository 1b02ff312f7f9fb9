"""Renders a page of `switchyard-load report` in a headless browser, and checks what is seen.

    python3 scripts/check-report.py PAGE.html [--panels N] [--keep DIR]

Needs chromium (Debian: apt-get install chromium). At the widths of a screen, of paper and of a
telephone each panel must be visible, within the page, apart from the others, and none of its texts
outside of its picture or on top of another. Nothing may be fetched or logged. It must also print.
--panels: the page must have at least so many (1). --keep leaves screenshots and PDF in a folder.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

WIDTHS = (1280, 760, 420)

# Runs in the copy of the page that is checked, never in the page itself.
PROBE = """
<script>
window.addEventListener("load", () => {
  const found = [];
  const box = element => element.getBoundingClientRect();
  const touch = (a, b, slack) => a.left < b.right - slack && b.left < a.right - slack
    && a.top < b.bottom - slack && b.top < a.bottom - slack;
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width)
    found.push(`the page is ${document.documentElement.scrollWidth} wide, the window ${width}`);
  const panels = [...document.querySelectorAll("figure.panel")];
  const name = panel => panel.querySelector("figcaption").textContent.trim();
  panels.forEach((panel, index) => {
    const outer = box(panel), title = name(panel);
    const picture = panel.querySelector(":scope > svg");
    if (outer.width < 200 || outer.height < 80) found.push(`${title}: too small`);
    if (outer.left < 0 || outer.right > width + 0.5) found.push(`${title}: off the page`);
    for (const other of panels.slice(index + 1))
      if (touch(outer, box(other), 0.5)) found.push(`${title}: overlaps ${name(other)}`);
    const inner = box(picture);
    for (const part of panel.children) {
      const it = box(part);
      if (it.left < outer.left - 0.5 || it.right > outer.right + 0.5
        || it.bottom > outer.bottom + 0.5) found.push(`${title}: <${part.tagName}> sticks out`);
      if (part !== picture && touch(it, inner, 0.5))
        found.push(`${title}: <${part.tagName}> covers the picture`);
    }
    const texts = [...picture.querySelectorAll("text")];
    texts.forEach((text, number) => {
      const it = box(text), words = text.textContent;
      if (it.left < inner.left - 0.5 || it.right > inner.right + 0.5 || it.top < inner.top - 0.5
        || it.bottom > inner.bottom + 0.5) found.push(`${title}: "${words}" is cut off`);
      for (const other of texts.slice(number + 1))
        if (touch(it, box(other), 1.5))
          found.push(`${title}: "${words}" and "${other.textContent}" overlap`);
    });
    const drawn = [...picture.querySelectorAll(".line, .bar, .span")];
    if (!drawn.some(each => { const it = box(each); return it.width > 0 || it.height > 0; }))
      found.push(`${title}: nothing is drawn`);
  });
  const fetched = performance.getEntriesByType("resource").map(each => each.name);
  if (fetched.length) found.push(`fetched ${fetched}`);
  const result = document.createElement("pre");
  result.id = "check-result";
  result.textContent = JSON.stringify({panels: panels.map(name), found});
  document.body.appendChild(result);
});
</script>
"""


def browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    sys.exit("check-report: no chromium (Debian: apt-get install chromium)")


def render(program, profile, page, *arguments):
    """Runs the browser once; returns what it printed, and what it complained about."""
    done = subprocess.run(
        [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--no-first-run", "--enable-logging=stderr",
            f"--user-data-dir={profile}", *arguments, f"file://{page}",
        ], capture_output=True, text=True, timeout=120)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    if done.returncode != 0:
        sys.exit(f"check-report: the browser ended with {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout, console


def measured(program, profile, folder, text, width):
    """What the probe found at a width."""
    probed = os.path.join(folder, "probed.html")
    with open(probed, "w") as file:
        file.write(text.replace("</body>", PROBE + "</body>"))
    out, console = render(program, profile, probed, f"--window-size={width},1000", "--dump-dom")
    match = re.search(r'<pre id="check-result">(.*?)</pre>', out, re.S)
    if not match:
        sys.exit("check-report: the page's probe did not run")
    raw = match[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    result = json.loads(raw)
    return result["panels"], [f"{width} px: {each}" for each in result["found"] + console]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page")
    parser.add_argument("--keep", help="leave screenshots and PDF here")
    parser.add_argument("--panels", type=int, default=1, help="there are at least so many")
    options = parser.parse_args()
    with open(options.page) as file:
        text = file.read()
    program, found = browser(), []
    with tempfile.TemporaryDirectory() as folder:
        keep = os.path.abspath(options.keep or folder)
        os.makedirs(keep, exist_ok=True)
        profile, page = os.path.join(folder, "profile"), os.path.abspath(options.page)
        for width in WIDTHS:
            panels, wrong = measured(program, profile, folder, text, width)
            found += wrong
            picture = os.path.join(keep, f"report-{width}.png")
            height = 700 + 420 * len(panels) // (2 if width > 960 else 1)
            render(
                program, profile, page, f"--window-size={width},{height}",
                f"--screenshot={picture}")
            if not os.path.getsize(picture):
                found.append(f"{width} px: no screenshot")
        if len(panels) < options.panels:
            found.append(f"{len(panels)} panels, expected {options.panels}")
        pdf = os.path.join(keep, "report.pdf")
        render(program, profile, page, "--no-pdf-header-footer", f"--print-to-pdf={pdf}")
        with open(pdf, "rb") as file:
            pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", file.read()))
        if not pages:
            found.append("the PDF has no page")
    for each in found[:20]:
        print(f"WRONG {each}")
    print(f"{len(panels)} panels at {len(WIDTHS)} widths, {pages} printed pages, {len(found)} wrong")
    sys.exit(1 if found else 0)


main()
