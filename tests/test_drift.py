"""What a sample says of all rows, and how sure it is."""

from __future__ import annotations

import random

import pytest

from iterable_sync.drift import ReconcileReport, Share


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # Of a table of Wilson's interval (Brown, Cai and DasGupta 2001), and by hand.
        pytest.param(0, 10, 0.0, 0.2775, id="none of ten"),
        pytest.param(5, 10, 0.2366, 0.7634, id="half of ten"),
        pytest.param(10, 10, 0.7225, 1.0, id="all of ten"),
        pytest.param(10, 2_000, 0.00272, 0.00918, id="ten of two thousand"),
        pytest.param(0, 2_000, 0.0, 0.00192, id="none of two thousand"),
        pytest.param(0, 0, 0.0, 1.0, id="nothing looked at"),
    ],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert (low, high) == pytest.approx(Share(count, of).interval, abs=1e-4)


def test_the_true_share_lies_in_the_interval_of_95_in_100_samples() -> None:
    """Over 2,000 samples of a population of which 0.5 % differ."""
    rng = random.Random(1)  # noqa: S311 - repeatable
    samples = [sum(rng.random() < 0.005 for _ in range(2_000)) for _ in range(2_000)]
    intervals = [Share(hits, 2_000).interval for hits in samples]

    covered = sum(low <= 0.005 <= high for low, high in intervals) / len(samples)

    assert 0.94 <= covered <= 0.98


def test_a_report_estimates_how_many_rows_of_all_differ() -> None:
    report = ReconcileReport(
        "users", live=100_000, sampled=2_010, not_comparable=6, changed_since=4, missing=4
    )
    report.drifted, report.fields = 6, {"city": 5, "points": 2}

    counts = report.counts()

    assert (2_000, Share(10, 2_000)) == (report.compared, report.drift)
    assert (500, 272, 918) == tuple(
        counts[name] for name in ("estimated_rows", "estimated_rows_low", "estimated_rows_high")
    )
    assert Share(5, 1_996) == report.of_field("city")
    assert all(type(value) is int for value in counts.values())


def test_a_report_reads_from_the_worst_field_on() -> None:
    report = ReconcileReport("users", live=10, sampled=10, drifted=2, fields={"b": 1, "a": 2})
    report.notes = ["a note"]

    lines = report.lines()

    assert ["field a: 2 of 10", "field b: 1 of 10", "a note"] == [
        line.partition(",")[0] for line in lines[3:]
    ]
    assert "2 of 10, 20.00% (5.67% to 50.98%) differ" in lines[0]
