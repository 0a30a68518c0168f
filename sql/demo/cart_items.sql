-- Demo shop: what is in the carts.
--
-- Grain:     one product in one customer's cart
-- Key:       user_id, product_id
-- Owner:     demo/shop.py, which fills the table cart_items with it
-- Freshness: that of carts, which it reads
--
-- A cart has no line to three. No parameters.
WITH
products (n, product_id, name, price) AS (
    VALUES
    (0, '00501', 'Trowel', 12.50),
    (1, '00502', 'Atlas', 39.00),
    (2, '00503', 'Kite', 24.90),
    (3, '10606', 'Metronome', 31.75),
    (4, '10607', 'Skipping rope', 8.20)
)

SELECT
    c.user_id,
    p.product_id,
    p.name,
    CAST(p.price AS numeric(12, 2)) AS price,
    CAST(1 + (c.version + l.line_no) % 2 AS integer) AS quantity,
    'https://shop.example.com/' || p.product_id AS url
FROM carts AS c
INNER JOIN generate_series(1, 3) AS l (line_no) ON l.line_no <= c.version % 4
INNER JOIN products AS p ON p.n = (c.version + l.line_no) % 5
