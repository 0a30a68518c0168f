-- Demo shop: who has ordered something for every week, fortnight or four weeks.
--
-- Grain:     one subscription, those of people included who have left the shop
-- Key:       subscription_id
-- Owner:     demo/shop.py, which fills the table shop_subscriptions with it
-- Freshness: the day asked for
--
-- Reads products. Parameters: users and day, as in diary.sql. Every day from 60 days before the
-- first on, one subscription for each 1,000 people starts. Every second one is cancelled after 24
-- days, one in eighteen rests from its 30th day on.
WITH
starts AS (
    SELECT
        CAST(d.day AS bigint) AS start_day,
        s.slot,
        CAST(d.day + 61 + s.slot AS bigint) AS n,
        (s.slot * 48271 + (d.day + 61) * 69621 + 2711) % 1073741789 AS s
    FROM generate_series(-60, {{ params.day }}) AS d (day)
    CROSS JOIN
        generate_series(
            0, CAST(greatest(1, floor({{ params.users }} / 1000.0)) AS bigint) - 1
        ) AS s (slot)
),

lucks AS (
    SELECT
        start_day,
        slot,
        n,
        CAST(split_part('7,14,28', ',', CAST(n % 3 + 1 AS integer)) AS integer) AS interval_days,
        CAST(CASE WHEN n % 2 = 0 THEN 24 END AS bigint) AS cancelled_after,
        CAST(CASE WHEN n % 18 = 5 THEN 30 END AS bigint) AS paused_after,
        (s + 167) * (s + 83003) % 1073741789 * (s + 430007) % 1073741789 AS luck
    FROM starts
)

SELECT
    'sub-' || CAST(l.start_day + 61 AS text) || '-' || CAST(l.slot AS text) AS subscription_id,
    1 + l.luck % {{ params.users }} AS person,
    l.luck,
    l.n AS pick,
    split_part('weekly,fortnightly,monthly', ',', CAST(l.n % 3 + 1 AS integer)) AS plan,
    l.interval_days,
    p.price,
    l.start_day,
    1767139200 + l.start_day * 86400 + l.luck % 86400 AS started_s,
    CASE WHEN l.start_day + l.cancelled_after <= {{ params.day }} THEN l.cancelled_after END
        AS cancelled_after,
    CASE WHEN l.start_day + l.paused_after <= {{ params.day }} THEN l.paused_after END
        AS paused_after,
    -- How often it was renewed: what is cancelled or rests on a day is not renewed on it.
    CAST(
        floor(
            least(
                {{ params.day }} - l.start_day, l.cancelled_after - 1, l.paused_after - 1
            ) * 1.0 / l.interval_days
        )
        AS bigint
    ) AS renewals
FROM lucks AS l
INNER JOIN products AS p
    ON
        p.product_id
        = split_part(
            '00501,00502,00503,10606,10607,10608,20711', ',', CAST(l.n % 7 + 1 AS integer)
        )
