-- Demo shop: which order is whose, when and why, at the end of a day.
--
-- Grain:     one order, those of people included who have left the shop
-- Key:       order_id
-- Owner:     demo/shop.py, which fills the table shop_purchases with it
-- Freshness: the day asked for; an order stays as it is
--
-- Reads shop_subscriptions. Parameters: users and day, as in diary.sql. The first letter of an
-- order_id says where the order comes from:
--   S  every day orders of 2 % of the people
--   C  the cart of the day before: of two versions in five, unless they are empty
--   R  a subscription, as it starts (R0) and at each renewal
--   H  the 90 days before the first, of a quarter of the people: what the traits are worked out of
-- An order has so many lines; line l is of product (pick + l * step) % among, in the quantity
-- 1 + (pick + l) % most.
WITH
days AS (
    SELECT CAST(day AS bigint) AS day
    FROM generate_series(-89, {{ params.day }}) AS d (day)
),

seeds AS (
    SELECT
        'S' AS kind,
        d.day,
        s.slot,
        (s.slot * 48271 + d.day * 69621 + 1931) % 1073741789 AS s
    FROM days AS d
    CROSS JOIN generate_series(0, CAST(floor({{ params.users }} / 50.0) AS bigint) - 1) AS s (slot)
    WHERE d.day > 0

    UNION ALL

    SELECT
        'H' AS kind,
        d.day,
        s.slot,
        (s.slot * 48271 + (d.day + 90) * 69621 + 3313) % 1073741789 AS s
    FROM days AS d
    CROSS JOIN
        generate_series(
            0, CAST(greatest(1, floor({{ params.users }} / 200.0)) AS bigint) - 1
        ) AS s (slot)
    WHERE d.day < 1
),

lucks AS (
    SELECT
        kind,
        day,
        slot,
        (s + 167) * (s + 83003) % 1073741789 * (s + 430007) % 1073741789 AS luck
    FROM seeds
),

-- As in carts.sql: the cart of person 25 k + 15 is another one every third day.
begun AS (
    SELECT
        d.day,
        k.k * 25 + 15 AS person,
        CAST(floor((k.k + d.day - 1) / 3.0) AS bigint) AS version
    FROM days AS d
    CROSS JOIN
        generate_series(0, CAST(floor(({{ params.users }} - 15) / 25.0) AS bigint)) AS k (k)
    WHERE d.day > 0 AND (k.k + d.day - 1) % 3 = 0
)

SELECT
    l.kind
    || CAST(CASE l.kind WHEN 'H' THEN l.day + 90 ELSE l.day END AS text)
    || '-'
    || lpad(CAST(l.slot AS text), 6, '0') AS order_id,
    l.day AS purchase_day,
    CASE l.kind
        WHEN 'S' THEN 1 + l.luck % {{ params.users }}
        ELSE 3 + 4 * (l.luck % CAST(floor({{ params.users }} / 4.0) AS bigint))
    END AS person,
    1767139200 + l.day * 86400 + l.luck % 86400 AS ordered_s,
    l.luck,
    CASE l.kind WHEN 'S' THEN l.slot END AS slot,
    CAST(NULL AS text) AS cart_id,
    CAST(NULL AS text) AS subscription_id,
    FALSE AS is_rebill,
    1 + l.luck % 3 AS lines,
    l.luck AS pick,
    2 AS step,
    7 AS among,
    3 AS most
FROM lucks AS l

UNION ALL

SELECT
    'C' || CAST(day AS text) || '-' || CAST(person AS text) AS order_id,
    day AS purchase_day,
    person,
    -- Twelve hours after the cart was filled.
    1767139200 + day * 86400 + person * 7919 % 36000 AS ordered_s,
    person * 7919 AS luck,
    NULL AS slot,
    'cart-' || CAST(person AS text) || '-' || CAST(version AS text) AS cart_id,
    NULL AS subscription_id,
    FALSE AS is_rebill,
    version % 4 AS lines,
    version AS pick,
    1 AS step,
    5 AS among,
    2 AS most
FROM begun
WHERE version % 5 IN (1, 3) AND version % 4 <> 0

UNION ALL

SELECT
    'R' || CAST(r.n AS text) || '-' || s.subscription_id AS order_id,
    s.start_day + r.n * s.interval_days AS purchase_day,
    s.person,
    s.started_s + r.n * s.interval_days * 86400 AS ordered_s,
    s.luck,
    NULL AS slot,
    NULL AS cart_id,
    s.subscription_id,
    r.n > 0 AS is_rebill,
    1 AS lines,
    s.pick,
    7 AS step,
    7 AS among,
    1 AS most
FROM shop_subscriptions AS s
INNER JOIN generate_series(0, 100) AS r (n) ON r.n <= s.renewals
