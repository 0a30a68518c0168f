-- Demo shop: what was bought, line by line.
--
-- Grain:     one product of one order
-- Key:       order_id, line_no
-- Owner:     demo/shop.py, which fills the table order_items with it
-- Freshness: the day asked for; a day's orders keep their lines
--
-- Parameters: users and day, as in diary.sql. Every day there are orders of 2 % of the people, each
-- with one to three lines. Luck is that of diary.sql.
WITH
products (n, product_id, name, category, price) AS (
    VALUES
    (0, '00501', 'Trowel', 'garden', 12.50),
    (1, '00502', 'Atlas', 'books', 39.00),
    (2, '00503', 'Kite', 'toys', 24.90),
    (3, '10606', 'Metronome', 'music', 31.75),
    (4, '10607', 'Skipping rope', 'sports', 8.20),
    (5, '10608', 'Whisk', 'kitchen', 6.95),
    (6, '20711', 'Dog lead', 'pets', 15.00)
),

seeds AS (
    SELECT
        d.day,
        s.slot,
        (s.slot * 48271 + d.day * 69621 + 1931) % 1073741789 AS s
    FROM generate_series(1, {{ params.day }}) AS d (day)
    CROSS JOIN generate_series(0, CAST(floor({{ params.users }} / 50.0) AS bigint) - 1) AS s (slot)
),

lucks AS (
    SELECT
        day,
        slot,
        (s + 167) * (s + 83003) % 1073741789 * (s + 430007) % 1073741789 AS luck
    FROM seeds
)

SELECT
    'S' || CAST(l.day AS text) || '-' || lpad(CAST(l.slot AS text), 6, '0') AS order_id,
    CAST(i.line_no AS integer) AS line_no,
    'u' || lpad(CAST(1 + l.luck % {{ params.users }} AS text), 7, '0') AS user_id,
    to_timestamp(1767139200 + CAST(l.day AS bigint) * 86400 + l.luck % 86400) AS ordered_at,
    p.product_id,
    p.name,
    p.category,
    CAST(p.price AS numeric(12, 2)) AS price,
    CAST(1 + (l.luck + i.line_no) % 3 AS integer) AS quantity
FROM lucks AS l
INNER JOIN generate_series(1, 3) AS i (line_no) ON i.line_no <= 1 + l.luck % 3
-- Two lines of an order are of two products: 2 and 7 share no divisor.
INNER JOIN products AS p ON p.n = (l.luck + i.line_no * 2) % 7
