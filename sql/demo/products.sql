-- Demo shop: what it sells at the end of a day.
--
-- Grain:     one product
-- Key:       product_id
-- Owner:     demo/shop.py, which fills the table products with it
-- Freshness: the day asked for
--
-- Parameters: day, as in diary.sql. Seven products, which are what people buy, and 21 sizes of two
-- of them, whose keys are no ids of Iterable. Every day another third of the products has a sale's
-- price, another quarter is sold out, and each week the sizes are another collection.
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

sizes AS (
    SELECT
        7 + s.n AS n,
        p.product_id
        || '/'
        || CAST(s.n + 21 * floor({{ params.day }} / 7.0) AS bigint) AS product_id,
        p.name || ', size ' || CAST(s.n AS text) AS name,
        p.category,
        p.price + s.n AS price
    FROM generate_series(1, 21) AS s (n)
    INNER JOIN products AS p ON p.n = CASE WHEN s.n % 2 = 0 THEN 2 ELSE 6 END
),

everything AS (
    SELECT * FROM products
    UNION ALL
    SELECT * FROM sizes
)

SELECT
    product_id,
    name,
    category,
    CAST(price AS numeric(12, 2)) AS price,
    CAST(
        CASE WHEN (n + {{ params.day }}) % 3 = 0 THEN price * 0.8 END AS numeric(12, 2)
    ) AS sale_price,
    (n + {{ params.day }}) % 4 <> 0 AS is_in_stock,
    CAST(1 + n % 5 AS integer) AS width_cm,
    CAST(2 + n % 7 AS integer) AS height_cm,
    'https://images.example.com/' || category || '/' || CAST(n AS text) || '.jpg' AS image,
    to_timestamp(1767139200 + CAST(n AS bigint) * 3600) AS listed_at
FROM everything
