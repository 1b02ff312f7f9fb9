"""Installs peers: from the Python index into environments of their own, or from Debian.

    python3 loadtest/peers/install.py [NAME...]

An environment's folder is named after the hash of what it is to contain, so that another version
gets another one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
CACHE = Path(os.environ.get("SWITCHYARD_CACHE", Path.home() / ".cache/switchyard")) / "peers"
DEBIAN = {"nginx": ("nginx", "nginx-light"), "nghttpx": ("nghttpx", "nghttp2-proxy"),
          "h2load": ("h2load", "nghttp2-client")}
PYTHON = sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def environment(name):
    """Where the packages of requirements/NAME.txt are, or will be."""
    text = (REQUIREMENTS / f"{name}.txt").read_bytes()
    return CACHE / f"{name}-{hashlib.sha256(text).hexdigest()[:16]}"


def is_installed(name):
    if name in DEBIAN:
        return program(name) is not None
    return (environment(name) / ".complete").exists()


def program(name):
    """Debian puts servers where not every PATH looks."""
    return shutil.which(DEBIAN[name][0], path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def version(name):
    """Of the installed distribution."""
    if name in DEBIAN:
        package = DEBIAN[name][1]
        return subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True,
            text=True).stdout
    package = (REQUIREMENTS / f"{name}.txt").read_text().split("==")[0].split("[")[0]
    return subprocess.run(
        [environment(name) / "bin/python", "-c",
         f"import importlib.metadata as m; print(m.version({package!r}))"],
        capture_output=True, text=True).stdout.strip()


def install(name):
    if is_installed(name):
        return
    log = CACHE / f"{name}.log"
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"peers: installing {name} (log: {log})", file=sys.stderr)
    if name in DEBIAN:
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        commands = [[*sudo, "apt-get", "install", "-y", "--no-install-recommends",
                     DEBIAN[name][1]]]
    else:
        target = environment(name)
        shutil.rmtree(target, ignore_errors=True)
        commands = [["python3", "-m", "venv", target],
                    [target / "bin/pip", "install", "--disable-pip-version-check",
                     "--requirement", REQUIREMENTS / f"{name}.txt"]]
    with open(log, "wb") as output:
        for command in commands:
            subprocess.run(command, check=True, stdout=output, stderr=output)
    if name not in DEBIAN:
        (environment(name) / ".complete").touch()


if __name__ == "__main__":
    failed = []
    for wanted in sys.argv[1:] or [*DEBIAN, *PYTHON]:
        try:
            install(wanted)
        except (subprocess.CalledProcessError, OSError) as error:
            failed.append(wanted)
            print(f"peers: {wanted} does not install: {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)
