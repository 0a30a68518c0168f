from __future__ import annotations

import pytest

from iterable_sync.sandbox.buckets import LIMITS, Buckets, retry_after


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(
    ("name", "per_s"),
    [
        ("users/update", 500),
        ("users/bulkUpdate", 5),
        ("users/getFields", 3),
        ("users/get", 100),
        ("users/delete", 100),
        ("users/merge", 50),
        ("users/forget", 3),
        ("users/unforget", 3),
        ("users/forgotten", 3),
        ("lists/get", 100),
        ("channels/get", 100),
    ],
)
def test_published_limits_are_kept(clock, name, per_s):
    buckets = Buckets({}, clock)

    granted = sum(buckets.take(name) == 0 for _ in range(per_s + 10))

    assert granted == per_s
    assert LIMITS[name].requests == per_s


def test_tokens_come_back_evenly(clock):
    buckets = Buckets({}, clock)
    for _ in range(5):
        buckets.take("users/bulkUpdate")

    assert buckets.take("users/bulkUpdate") == pytest.approx(0.2)
    clock.now += 0.2
    assert buckets.take("users/bulkUpdate") == 0
    assert buckets.take("users/bulkUpdate") > 0


def test_unused_tokens_are_kept_for_one_period_only(clock):
    buckets = Buckets({}, clock)
    buckets.take("users/bulkUpdate")
    clock.now += 3600

    granted = sum(buckets.take("users/bulkUpdate") == 0 for _ in range(20))

    assert granted == 5


@pytest.mark.parametrize("name", ["users/forget", "users/unforget"])
def test_daily_limit_counts_the_last_24_hours(clock, name):
    buckets = Buckets({}, clock)
    for _ in range(1000):
        clock.now += 60
        assert buckets.take(name) == 0
    first = clock.now - 999 * 60

    assert buckets.take(name) == pytest.approx(first + 86_400 - clock.now)
    clock.now = first + 86_400
    assert buckets.take(name) == 0
    assert buckets.take(name) == pytest.approx(60)
    assert buckets.as_json()[name] == {
        "requests": 3,
        "seconds": 1,
        "left": 2,
        "daily": 1000,
        "left_today": 0,
    }


def test_refused_requests_do_not_count_for_the_day(clock):
    buckets = Buckets({}, clock)

    granted = sum(buckets.take("users/forget") == 0 for _ in range(2000))

    assert granted == 3
    assert buckets.as_json()["users/forget"]["left_today"] == 997


def test_limits_can_be_set(clock):
    buckets = Buckets({"users/bulkUpdate": 1}, clock)

    assert buckets.take("users/bulkUpdate") == 0
    assert buckets.take("users/bulkUpdate") == pytest.approx(1)


@pytest.mark.parametrize(
    ("setting", "wait_s", "expected"),
    [
        pytest.param(None, 0.2, None, id="no header"),
        pytest.param("auto", 0.2, "1", id="at least a second"),
        pytest.param("auto", 1.2, "2", id="rounded up"),
        pytest.param("60", 0.2, "60", id="fixed"),
        pytest.param(
            "Wed, 21 Oct 2015 07:28:00 GMT", 1, "Wed, 21 Oct 2015 07:28:00 GMT", id="date"
        ),
    ],
)
def test_retry_after_is_what_the_setting_says(setting, wait_s, expected):
    assert retry_after(setting, wait_s) == expected
