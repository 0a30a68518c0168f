-- Demo shop: what is in the carts.
--
-- Grain:     one product in one customer's cart
-- Key:       user_id, product_id
-- Owner:     demo/shop.py, which fills the table cart_items with it
-- Freshness: that of carts, which it reads
--
-- Reads carts and products. A cart has no line to three. No parameters.
SELECT
    c.user_id,
    p.product_id,
    p.name,
    p.price,
    CAST(1 + (c.version + l.line_no) % 2 AS integer) AS quantity,
    'https://shop.example.com/' || p.product_id AS url,
    p.image
FROM carts AS c
INNER JOIN generate_series(1, 3) AS l (line_no) ON l.line_no <= c.version % 4
INNER JOIN products AS p
    ON
        p.product_id
        = split_part(
            '00501,00502,00503,10606,10607',
            ',',
            CAST((c.version + l.line_no) % 5 + 1 AS integer)
        )
