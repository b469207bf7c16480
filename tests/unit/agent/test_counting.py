"""Lines to counters: exact for good lines, and nothing but `malformed` for the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastide.agent.counting import Counting
from bastide.agent.logs import derive_known, derive_layouts
from tests.unit.agent.lines import edge_line, edge_log, failed_line, nginx_line, total, web_log

PATH = Path("/nowhere/access.tsv")


def web(max_series: int = 5000) -> Counting:
    return Counting(derive_layouts(web_log(PATH)), max_series=max_series)


def edge() -> Counting:
    return Counting(derive_layouts(edge_log(PATH)))


class TestNginx:
    def test_labels_durations_and_sizes(self) -> None:
        counting = web()
        counting.add(
            nginx_line(1, request_s="0.002", upstream_s="0.001, 0.002 : 0.004", bytes_sent=10)
            + nginx_line(2, status=404, method="POST", route="/static/", request_s="12.000", upstream_s="-")
            + nginx_line(3, request_s="0.003", upstream_s="-, 0.009", bytes_sent=5)
        )
        assert {k: v for k, v in counting.counters.items() if v and "\t" in k} == {
            "requests\tapp\tGET\t200": 2,
            "requests\t/static/\tPOST\t404": 1,
            "duration\tapp\t2": 1,
            "duration\tapp\t5": 1,
            "duration_ms\tapp": 5,
            "duration\t/static/\tinf": 1,
            "duration_ms\t/static/": 12000,
            "upstream\tapp\t10": 2,
            "upstream_ms\tapp": 16,
            "bytes\tapp": 15,
            "bytes\t/static/": 502,
        }

    def test_what_no_closed_set_knows_becomes_other(self) -> None:
        counting = web()
        counting.add(nginx_line(1, method="BREW", route="/new/"))
        assert counting.counters["requests\tOTHER\tOTHER\t200"] == 1

    def test_series_are_bounded_and_the_sum_stays_exact(self) -> None:
        counting = web(max_series=40)
        counting.add(b"".join(nginx_line(i, status=100 + i % 500) for i in range(1000)))
        assert len(counting.counters) <= 40 + 6
        assert total(counting.counters, "requests") == 1000
        assert counting.counters["overflowed"] > 900


class TestEdge:
    def test_requests_own_answers_retries_and_failed_connections(self) -> None:
        counting = edge()
        counting.add(
            edge_line(1, retries="+1")
            + failed_line(2)
            + edge_line(3, server="-", status=503, termination="SC", response_ms=-1, retries=3)
            + edge_line(4, method="<BADREQ>", status=-1, termination="CR", server="-", route="-", response_ms=-1)
        )
        counters = counting.counters
        assert counters["requests\thttps\tweb2\tapp\tGET\t200\t--"] == 1
        assert counters["requests\thttps\t-\tapp\tGET\t503\tSC"] == 1
        assert counters["requests\thttps\t-\t-\tOTHER\t000\tCR"] == 1
        assert (counters["retries"], counters["malformed"], counters["lines"]) == (4, 0, 4)
        assert counters["failed\thttps\tSSL handshake failure"] == 1
        assert total(counters, "upstream") == 1


HOSTILE = [
    b"\n",
    b"\t\t\t\n",
    b"\x00\xff\xfe binary \x1b[31m\n",
    b"x" * 100_000 + b"\n",
    nginx_line(1, status="2000"),
    nginx_line(1, status="2x0"),
    nginx_line(1, request_s="soon"),
    nginx_line(1, request_s="-1.000"),
    nginx_line(1, upstream_s="0.001,0.002"),
    nginx_line(1, bytes_sent="-5"),
    nginx_line(1, bytes_sent="9" * 40),
    nginx_line(1, bytes_sent="9" * 5000),
    *(nginx_line(1, bytes_sent=size) for size in ("", "+5", " 5", "1_0", "5.0")),
    b"\t".join(nginx_line(1).split(b"\t")[1:]),
    b"\t".join(nginx_line(1).split(b"\t")[:-1]) + b"\n",
    nginx_line(1)[:-1] + b"\textra\n",
    nginx_line(1).replace(b"\t", b" ", 1),
]


class TestTornLines:
    """A writer is killed at every byte of a line; the next writer's line follows without a break."""

    def test_at_the_edge_the_line_after_it_counts_and_the_torn_one_is_said(self) -> None:
        torn = edge_line(1, status=500)
        for cut in range(1, len(torn) - 1):
            counting = edge()
            counting.add(edge_line(0) + torn[:cut] + edge_line(2, status=404) + failed_line(3))
            counters = counting.counters
            assert counters["malformed"] == 1, cut
            assert counters["requests\thttps\tweb1\tapp\tGET\t404\t--"] == 1, cut
            assert (total(counters, "requests"), total(counters, "failed")) == (2, 1), cut
            assert counters["lines"] == 4, cut

    def test_a_failed_connections_line_after_a_torn_one_counts_too(self) -> None:
        counting = edge()
        counting.add(edge_line(0)[:40] + failed_line(1) + failed_line(2)[:20] + edge_line(3))
        counters = counting.counters
        assert (total(counters, "requests"), total(counters, "failed"), counters["malformed"]) == (1, 1, 2)

    def test_at_a_web_server_the_line_after_it_counts(self) -> None:
        torn = nginx_line(1, status=500)
        for cut in range(1, len(torn) - 1):
            counting = web()
            counting.add(nginx_line(0) + torn[:cut] + nginx_line(2, status=404))
            counters = counting.counters
            assert counters["requests\tapp\tGET\t404"] == 1, cut
            assert total(counters, "requests") == 2, cut
            # Torn within its first column it cannot be told from a longer number.
            assert counters["malformed"] == (1 if b"\t" in torn[:cut] else 0), cut

    def test_two_torn_ones_in_a_row(self) -> None:
        counting = edge()
        counting.add(edge_line(0)[:60] + edge_line(1)[:30] + edge_line(2))
        assert (total(counting.counters, "requests"), counting.counters["malformed"]) == (1, 1)


class TestHostileLines:
    @pytest.mark.parametrize("line", HOSTILE)
    def test_is_counted_as_malformed_and_as_nothing_else(self, line: bytes) -> None:
        counting = web()
        counting.add(nginx_line(1) + line + nginx_line(2))
        assert (counting.counters["malformed"], total(counting.counters, "requests")) == (1, 2)
        assert total(counting.counters, "duration") == 2

    def test_more_kinds_of_lines_than_are_kept_waiting_are_counted_all_the_same(self) -> None:
        counting = web()
        for begin in range(0, 12_000, 500):
            counting.add(b"".join(nginx_line(i, request_s=f"{i}.000") for i in range(begin, begin + 500)))
        counters = counting.counters
        assert total(counters, "requests") == total(counters, "duration") == 12_000
        assert counters["duration_ms\tapp"] == sum(range(12_000)) * 1000
        assert counters["bytes\tapp"] == sum(500 + i % 7 for i in range(12_000))

    def test_sizes_of_very_many_bytes_do_not_spill_into_the_requests(self) -> None:
        counting = web()
        counting.add(b"".join(nginx_line(1, bytes_sent=2**40 - 1) for _ in range(3)))
        assert counting.counters["bytes\tapp"] == 3 * (2**40 - 1)
        assert total(counting.counters, "requests") == 3

    def test_two_wrong_lines_do_not_make_up_for_each_other(self) -> None:
        counting = web()
        short, long = nginx_line(1).replace(b"\t", b" ", 1), nginx_line(2)[:-1] + b"\tx\n"
        counting.add(short + long + nginx_line(3))
        assert (counting.counters["malformed"], total(counting.counters, "requests")) == (2, 1)

    @given(st.lists(st.one_of(st.binary(max_size=60).map(lambda b: b.replace(b"\n", b"") + b"\n"),
                              st.integers(0, 10**6).map(nginx_line), st.sampled_from(HOSTILE)), max_size=40))  # fmt: skip
    def test_every_line_is_counted_once(self, lines: list[bytes]) -> None:
        counting = web()
        counting.add(b"".join(lines))
        counters = counting.counters
        assert counters["lines"] == len(lines)
        assert total(counters, "requests") + counters["malformed"] == len(lines)
        assert total(counters, "duration") == total(counters, "requests")


def test_series_are_born_at_zero() -> None:
    log = edge_log(PATH)
    counting = Counting(derive_layouts(log))
    counting.born(derive_known(log))
    assert counting.counters["requests\thttps\tweb1\tapp\tGET\t200\t--"] == 0
    assert counting.counters["duration\t/static/\tinf"] == 0
    assert counting.counters["retries"] == 0
