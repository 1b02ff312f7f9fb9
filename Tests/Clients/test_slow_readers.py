"""Clients that do not read: their sequences wait, others go on, and nothing is lost."""

import json

import pytest

import stalled

SIMULATED = ("--engine", "simulated", "--model-name", "smollm2", "--worker-argument=--step-time",
             "--worker-argument=1000")
TOKENS = 3_000


def test_stalled_streams_wait_and_lose_nothing(launch):
    server = launch(*SIMULATED, "--slots", "48", "--context", "400000").wait_ready()
    [whole] = one_read(server)
    assert whole[1] == TOKENS
    with stalled.Stalled(server, [stalled.body(TOKENS)] * 20) as first, \
            stalled.Stalled(server, [stalled.body(TOKENS)] * 20) as second:
        for connection in (first, second):
            connection.wait_full()
        # Others have the worker for themselves, more or less.
        readers = stalled.Readers(server, 4, 100, 1)
        assert len(readers.gaps) >= 4 * 99
        assert server.health()["requests"]["in_flight"] == 40, "they wait for their readers"
        for connection in (first, second):
            # As many bytes as its window has, and not one more.
            assert all(len(connection.exchanges[one].data) == stalled.WINDOW
                       for one in connection.streams)
            connection.read_all()
            assert connection.texts() == [whole] * 20
    server.wait_idle()


def test_more_stalled_streams_than_slots_keep_nobody_out(launch):
    server = launch(*SIMULATED, "--slots", "2", "--context", "40000",
                    "--stalled-reader-seconds", "300").wait_ready()
    [whole] = one_read(server)
    with stalled.Stalled(server, [stalled.body(TOKENS)] * 9) as connection:
        # Each gets a slot in its turn although none reads on.
        connection.wait_full()
        readers = stalled.Readers(server, 1, 100, 1)
        assert len(readers.gaps) >= 99
        assert server.health()["requests"]["in_flight"] == 9
        connection.read_all()
        assert connection.texts() == [whole] * 9
    server.wait_idle()


def one_read(server):
    with stalled.Stalled(server, [stalled.body(TOKENS)]) as connection:
        connection.read_all()
        return connection.texts()


@pytest.mark.parametrize("others", [0, 1])
def test_a_stalled_stream_is_dropped_after_its_time(launch, tmp_path, others):
    log = tmp_path / "access.log"
    server = launch(*SIMULATED, "--slots", "4", "--context", "40000", "--access-log", str(log),
                    "--stalled-reader-seconds", "1").wait_ready()
    with stalled.Stalled(server, [stalled.body(TOKENS)] * (1 + others)) as connection:
        connection.wait_full()
        if others:
            # One that reads again in time stays.
            kept = connection.streams[1]
            connection.state.increment_flow_control_window(1 << 24, kept)
            connection.flush()
        dropped = connection.exchanges[connection.streams[0]]
        connection.read(lambda: dropped.reset is not None)
        assert dropped.reset == 8, "CANCEL"
        if others:
            connection.read(lambda: connection.exchanges[kept].is_over)
            assert stalled.text(connection.exchanges[kept].data)[1] == TOKENS
    server.wait_idle()
    server.wait_for(lambda: len(log.read_text().splitlines()) == 1 + others, "no line")
    words = [json.loads(line).get("error") for line in log.read_text().splitlines()]
    assert words.count("reader_stalled") == 1
