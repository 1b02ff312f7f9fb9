"""loadtest/compare.py's results, tables and pages, without measuring anything."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "loadtest"))

from peers import alone, plots, tables, turns  # noqa: E402
from peers.results import Results  # noqa: E402


def call(began, **others):
    return {"began": began, "commit": "abc1234", "quick": False, "rounds": 2, **others}


def entry(experiment="fast-64", peer="switchyard", number=0, of=2, **what):
    return {"experiment": experiment, "peer": peer, "round": number, "of": of, **what}


def fast(events):
    return {"outputDeltas": events, "seconds": 1.0, "failed": 0, "generatorCPUSeconds": 0.5,
            "cpuSeconds": {"switchyard": 0.1, "upstream": 0.2}}


def delays(delivering=1000, p50=300.0):
    return {"streams": 1000, "delivering": delivering, "failed": 0, "seconds": 4.0,
            "eventsPerSecond": 10_000.0, "delay": {"p50": p50, "p99": 2 * p50},
            "cpuSeconds": {"upstream": 1.0, "litellm": 2.0}, "openBytes": {"litellm": 2_000_000},
            "idleBytes": {"litellm": 1_000_000}}


def chosen(results):
    return [each["outputDeltas"] for each in results.rounds("fast-64", "switchyard")]


def cells(results, experiment, peer):
    head, _, *rows = tables.markdown(results, experiment).splitlines()
    row = next(each for each in rows if each.split("|")[1].strip().startswith(peer))
    titles = [each.strip() for each in head.split("|")]
    return dict(zip(titles[2:-1], [each.strip() for each in row.split("|")][2:-1]))


def test_a_failing_rerun_leaves_the_good_rounds_of_before():
    results = Results()
    for number in range(2):
        results.add(call("1"), entry(number=number, result=fast(100 + number)))
    results.add(call("2"), entry(error="did not start\nbecause"))
    assert chosen(results) == [100, 101]
    assert "switchyard failed 1 times, last: did not start" in tables.render(results)
    # Half of a rerun does not count yet either; the whole of it does, alone.
    results.add(call("3"), entry(result=fast(200)))
    assert chosen(results) == [100, 101]
    results.add(call("3"), entry(number=1, result=fast(201)))
    assert chosen(results) == [200, 201]
    assert "failed 1 times" not in tables.render(results)
    assert set(results.calls) == {"3"}


def test_of_reruns_that_failed_the_fullest_counts():
    results = Results()
    results.add(call("1"), entry(result=fast(100)))
    results.add(call("1"), entry(number=1, error="no"))
    results.add(call("2"), entry(error="no"))
    assert chosen(results) == [100]
    assert "1 round (1 failed or missing)" in tables.render(results)


def test_results_are_read_as_they_were_written(tmp_path):
    results = Results(facts={"machine": "one"})
    results.add(call("1"), entry(result=fast(100)))
    (tmp_path / "raw.json").write_text(results.text())
    again = Results.read(tmp_path / "raw.json")
    assert again.text() == results.text()
    assert tables.render(again) == tables.render(results)


def test_each_panel_says_what_was_measured():
    results = Results()
    results.add(call("1", quick=True), entry(of=1, result=fast(100)))
    results.add(call("2", commit="def5678"), entry(peer="direct", of=1, result=fast(100)))
    assert results.circumstances("fast-64") == (
        "switchyard: 1 round, commit abc1234, shortened runs (--quick); "
        "direct: 1 round, commit def5678")


def test_streams_that_deliver_nothing_have_failed():
    results = Results()
    results.add(call("1"), entry("paced", "direct", of=1, result=delays(p50=100.0)))
    results.add(call("1"), entry("paced", "litellm", of=1, result=delays(delivering=132)))
    found = cells(results, "paced", "litellm")
    assert found["failed streams"] == "868"
    assert found["added p50 us"] == "200.0"


def test_nothing_is_called_added_where_nothing_is_known_without_a_gateway():
    results = Results()
    results.add(call("1"), entry("paced", "litellm", of=1, result=delays()))
    assert "added p50 us" not in cells(results, "paced", "litellm")
    assert "What gateways add is not known" in tables.render(results)


def test_delays_are_also_measured_without_a_gateway():
    asked = []

    class Context:
        peers = ["litellm"]

        def each(self, experiment, number, names, run):
            asked.append(names)

        def seconds(self, usual):
            return usual

    alone.paced(Context(), 0)
    alone.small_pages(Context(), 0)
    Context.peers = ["llama-server"]
    alone.paced(Context(), 0)
    assert asked == [["direct", "litellm"], ["litellm"], []]


def test_long_prompts_that_got_no_token_are_told():
    def probed(first, tokens):
        probe = {"sent": 2, "interTokenLatencyDuring": {"p99": 300.0}}
        if first:
            probe["timeToFirstToken"] = {"p50": first, "count": 1}
        return {"probe": probe, "outputTokensPerSecond": tokens, "failed": 0}

    results = Results()
    for number, first in enumerate((12_000.0, None, None)):
        results.add(call("1"), entry(
            "long-prompts", number=number, of=3, result=probed(first, 90.0)))
    found = cells(results, "long-prompts", "switchyard")
    assert found["long prompts' TTFT p50 ms"] == "none in time"
    assert found["long prompts begun in time"] == "1 of 6"
    assert found["tokens/s"] == "90.0"
    assert "(12k–none)" not in plots.page(results) and "none in time" in plots.page(results)


def test_other_numbers_of_clients_are_told():
    results = Results()
    for peer, clients in (("switchyard", "16"), ("llama-server", "16"), ("llama-cpp-python", "4")):
        results.add(call("1"), entry("throughput-16", peer, of=1, result={
            "outputTokensPerSecond": 1.0, "command": ["x", "--concurrency", clients]}))
    assert "| llama-cpp-python (4 clients) |" in tables.render(results)
    assert "| switchyard |" in tables.render(results)


def test_first_and_later_turns_have_figures_of_their_own():
    assert turns.summary([0.001, 0.004, 0.002]) == {"p50": 2.0, "p99": 4.0}
    assert turns.summary([each / 1000 for each in range(1, 201)])["p99"] == 198.0
    results = Results()
    results.add(call("1"), entry("turns", of=1, result={
        "firstTurn": {"p50": 1.0, "p99": 2.0}, "laterTurns": {"p50": 3.0, "p99": 4.0}}))
    assert "| switchyard | 1.0 | 2.0 | 3.0 | 4.0 |" in tables.render(results)


def test_scales_hold_their_values():
    for values in ([1.0, 3.0], [0.0], [0.5, 80_000.0], [-3.0, 5.0], [], [7.0]):
        scale = plots.Scale(values)
        for value in [*values, *scale.ticks()]:
            assert plots.LEFT - 0.01 <= scale.x(value) <= plots.RIGHT + 0.01
    assert plots.Scale([0.5, 80_000.0]).is_logarithmic
    assert not plots.Scale([0.0, 80_000.0]).is_logarithmic


def test_what_was_started_ends_with_the_program(tmp_path):
    """Also a child of the child in a group of its own, and one that ignores SIGTERM."""
    stubborn = ("import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
                "os.setpgid(0, 0); print('up', flush=True); time.sleep(600)")
    child = (f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {stubborn!r}], "
             "stdout=subprocess.PIPE); p.stdout.readline(); print(p.pid, flush=True); p.wait()")
    program = (f"import sys; sys.path.insert(0, {str(ROOT / 'loadtest')!r})\n"
               "from peers import processes\nprocesses.exit_on_signals()\n"
               f"p = processes.Process('x', [sys.executable, '-c', {child!r}], "
               f"{str(tmp_path)!r}, first_line=True)\n"
               "print(p.child.pid, p.first_line.strip(), flush=True)\n"
               "p.await_true(lambda: False, 600)\n")
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as runner:
            started = [int(word) for word in runner.stdout.readline().split()]
            assert len(started) == 2
            runner.send_signal(number)
            runner.wait(60)
        assert not [pid for pid in started if is_alive(pid)]


def is_alive(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return False
        except OSError:
            return False
        os.sched_yield()
    return True
