"""Requests are spaced evenly, a 429 halves the rate, and an outage costs few requests."""

from __future__ import annotations

import heapq
import math
import threading

import pytest

from fakes import Always, Clock
from iterable_sync.circuit import CircuitBreaker, RetryBudget
from iterable_sync.errors import RetryLater
from iterable_sync.pacing import Pacer
from iterable_sync.retrying import wait_s as backoff_s


def moments(pacer: Pacer, clock: Clock, count: int) -> list[float]:
    times = []
    for _ in range(count):
        assert pacer.acquire()
        times.append(clock.now - 1_000.0)
    return times


def test_requests_are_spaced_evenly_from_the_first_on() -> None:
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=clock.sleep)

    assert [0.0, 0.25, 0.5, 0.75, 1.0] == moments(pacer, clock, 5)


def test_what_was_not_used_is_not_saved_up_for_a_burst() -> None:
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=clock.sleep)
    pacer.acquire()
    clock.now += 60

    times = moments(pacer, clock, 4)

    assert [60.0, 60.25, 60.5, 60.75] == times


@pytest.mark.failure("O8")
@pytest.mark.parametrize("rate", [4.0, 20.0])
def test_no_second_has_more_requests_than_the_rate_and_one(rate: float) -> None:
    clock = Clock()
    pacer = Pacer(rate, clock=clock, sleep=clock.sleep)

    times = moments(pacer, clock, 100)

    assert all(sum(start <= t < start + 1 - 1e-9 for t in times) <= rate + 1 for start in times)
    assert times[-1] == pytest.approx(99 / rate)


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    pacer = Pacer(math.inf, clock=clock, sleep=clock.sleep)

    moments(pacer, clock, 1_000)
    pacer.on_429()
    moments(pacer, clock, 1_000)

    assert [] == clock.slept


def test_a_pause_is_kept_without_a_limit_too() -> None:
    clock = Clock()
    pacer = Pacer(math.inf, clock=clock, sleep=clock.sleep)
    pacer.on_429(7.0)

    assert [7.0, 7.0] == moments(pacer, clock, 2)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_rate_is_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Pacer(rate)


@pytest.mark.failure("H1")
def test_a_429_halves_the_rate_which_regains_five_per_cent_a_second() -> None:
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=clock.sleep)
    pacer.on_429()
    rates = []
    for _ in range(12):
        rates.append(round(pacer.requests_per_s, 6))
        clock.now += 1

    assert [2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.0] == rates


def test_requests_refused_together_halve_the_rate_once() -> None:
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=clock.sleep)
    for _ in range(4):
        clock.now += 0.2
        pacer.on_429()

    assert pacer.requests_per_s == pytest.approx(2.0 + 0.6 * 0.2)


def test_the_rate_never_falls_to_nothing() -> None:
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=clock.sleep)
    for _ in range(100):
        clock.now += 1
        pacer.on_429()

    assert pacer.requests_per_s >= 4 / 64


def test_nothing_is_sent_before_retry_after_and_no_burst_follows() -> None:
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=clock.sleep)
    pacer.acquire()
    pacer.on_429(30.0)

    times = moments(pacer, clock, 3)

    assert times[0] == pytest.approx(30.0)
    assert times[2] - times[1] >= 0.25 - 1e-9


class TokenBucket:
    """Iterable's side: so many requests per second, a second's worth of them at once."""

    def __init__(self, requests_per_s: float) -> None:
        self.requests_per_s = requests_per_s
        self.tokens = requests_per_s
        self.seen_at = 0.0

    def admits(self, now: float) -> bool:
        gained = (now - self.seen_at) * self.requests_per_s
        self.tokens = min(self.requests_per_s, self.tokens + gained)
        self.seen_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def storm(
    *, threads: int, strangers_per_s: float, storm_s: float, until_s: float
) -> list[tuple[float, bool]]:
    """
    Run *threads* that share a pacer of 4/s against a limit of 5/s; give (moment, admitted).

    Each request takes 0.3 s. Strangers use the same limit until *storm_s*. Moments come in the
    order of time, whoever they belong to; nothing is slept.
    """
    clock = Clock()
    server = TokenBucket(5)
    answered: list[tuple[float, bool]] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        raise InterruptedError

    waits: list[float] = []
    pacer = Pacer(4, clock=clock, sleep=sleep)
    events = [(0.0, number, "thread") for number in range(threads)]
    if strangers_per_s:
        events.append((0.0, threads, "stranger"))
    heapq.heapify(events)
    refusals: dict[int, int] = {}
    while events and events[0][0] < until_s:
        now, number, kind = heapq.heappop(events)
        clock.now = 1_000 + now
        if kind == "stranger":
            server.admits(now)
            if now < storm_s:
                heapq.heappush(events, (now + 1 / strangers_per_s, number, kind))
            continue
        try:
            pacer.acquire()
        except InterruptedError:
            # The pacer sleeps in slices; the thread comes back after the first of them.
            heapq.heappush(events, (now + max(waits.pop(), 1e-6), number, kind))
            continue
        admitted = server.admits(now)
        answered.append((now, admitted))
        wait_s = 0.3
        if admitted:
            refusals.pop(number, None)
        else:
            pacer.on_429()
            refusals[number] = refusals.get(number, -1) + 1
            wait_s += backoff_s(refusals[number], None, Always(0.5))
        heapq.heappush(events, (now + wait_s, number, kind))
    return answered


@pytest.mark.failure("H1", "O8")
@pytest.mark.parametrize("threads", [1, 4, 8])
@pytest.mark.parametrize(
    ("strangers_per_s", "until_s"),
    [
        pytest.param(0, 70, id="nobody else"),
        pytest.param(3, 70, id="others take 3/s for ten seconds"),
        pytest.param(50, 130, id="others take all for ten seconds"),
    ],
)
def test_after_ten_seconds_of_a_storm_hardly_any_429_and_the_rate_is_used(
    threads: int, strangers_per_s: float, until_s: float
) -> None:
    """H1: under 1 % refused, over 90 % of the configured rate; O8: never above the limit."""
    answered = storm(threads=threads, strangers_per_s=strangers_per_s, storm_s=10, until_s=until_s)

    early = [admitted for moment, admitted in answered if moment < 10]
    late = [(moment, admitted) for moment, admitted in answered if moment >= 10]
    assert all(early) == (not strangers_per_s)
    assert sum(not admitted for _, admitted in late) < 0.01 * len(late)
    # One thread waits for each answer, 0.3 s: it cannot send 4/s.
    share = 0.9 if threads > 1 else 0.7
    assert sum(admitted for _, admitted in late) >= share * 4 * (until_s - 10)
    moments = [moment for moment, _ in late]
    assert all(sum(t <= x < t + 1 for x in moments) <= 5 for t in moments)


def test_a_stop_ends_the_wait_within_a_quarter_of_a_second() -> None:
    clock = Clock()
    pacer = Pacer(0.01, clock=clock, sleep=clock.sleep)
    pacer.acquire()
    until = clock.now + 1.0

    assert not pacer.acquire(lambda: clock.now >= until)
    assert clock.now <= until + 0.25


def test_threads_share_the_rate() -> None:
    """Real threads and a real clock: 40 requests at 200/s take 0.2 s, whoever sends them."""
    import time

    pacer = Pacer(200)
    times: list[float] = []

    def work() -> None:
        for _ in range(10):
            pacer.acquire()
            times.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 39 / 200 * 0.95 <= max(times) - min(times)


# -- circuit and budget -----------------------------------------------------------------------


def test_the_circuit_opens_at_the_fifth_failure_in_a_row() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock, sleep=clock.sleep)
    for _ in range(4):
        breaker.failed()
    breaker.succeeded()
    for _ in range(4):
        breaker.failed()

    assert not breaker.is_open

    breaker.failed()

    assert breaker.is_open


@pytest.mark.failure("H4")
def test_an_open_circuit_lets_one_probe_through_each_30_s_until_one_succeeds() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock, sleep=clock.sleep)
    for _ in range(5):
        breaker.failed()
    probes = []
    for _ in range(3):
        assert breaker.enter()
        probes.append(clock.now - 1_000)
        breaker.failed()

    assert probes == pytest.approx([30, 60, 90])

    breaker.succeeded()
    before = clock.now
    assert breaker.enter()
    assert before == clock.now


def test_an_open_circuit_ends_the_run_after_two_minutes() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock, sleep=clock.sleep)
    requests = 0

    with pytest.raises(RetryLater) as caught:  # noqa: PT012 - the loop is what ends
        while breaker.enter():
            requests += 1
            breaker.failed()

    assert requests == 5 + 3
    assert clock.now - 1_000 == pytest.approx(120)
    assert caught.value.delay_s == 300


@pytest.mark.failure("H4")
def test_an_outage_of_ten_minutes_costs_at_most_25_requests() -> None:
    """H4: run after run, each started when the one before asked to be."""
    clock = Clock()
    requests = 0
    while clock.now < 1_600:
        breaker = CircuitBreaker(clock=clock, sleep=clock.sleep)
        try:
            while clock.now < 1_600 and breaker.enter():
                requests += 1
                clock.now += 0.5
                breaker.failed()
        except RetryLater as later:
            clock.now += later.delay_s

    assert requests <= 25


def test_a_stop_ends_the_wait_for_the_circuit() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock=clock, sleep=clock.sleep)
    for _ in range(5):
        breaker.failed()

    assert not breaker.enter(lambda: clock.now > 1_001)


@pytest.mark.failure("H3")
def test_retries_are_a_tenth_of_the_requests_beyond_the_reserve() -> None:
    clock = Clock()
    budget = RetryBudget(clock=clock)
    retries = 0
    for _ in range(1_000):
        budget.earn()
        retries += budget.spend()

    assert 100 <= retries <= 120


def test_the_budget_refills_with_time() -> None:
    clock = Clock()
    budget = RetryBudget(clock=clock)
    while budget.spend():
        pass
    clock.now += 5

    assert [True, False] == [budget.spend(), budget.spend()]
