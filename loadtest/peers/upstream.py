"""The simulated OpenAI upstream that every gateway has behind it."""

import json

from .processes import Process

MODEL = "simulated"


def start(programs, directory, *options):
    """Options as of `simulated-upstream serve`."""
    process = Process(
        "upstream", [programs / "simulated-upstream", "--model", MODEL, *options], directory,
        first_line=True)
    process.url = "http://" + json.loads(process.first_line)["listen"]
    return process
