-- Demo shop: what was bought, line by line.
--
-- Grain:     one product of one order
-- Key:       order_id, line_no
-- Owner:     demo/shop.py, which fills the table order_items with it
-- Freshness: the day asked for; a day's orders keep their lines
--
-- Reads shop_purchases and products. No parameters. No order has two lines of one product: step and
-- among share no divisor, or there is one line.
SELECT
    o.order_id,
    CAST(l.line_no AS integer) AS line_no,
    'u' || lpad(CAST(o.person AS text), 7, '0') AS user_id,
    to_timestamp(o.ordered_s) AS ordered_at,
    p.product_id,
    p.name,
    p.category,
    p.price,
    CAST(1 + (o.pick + l.line_no) % o.most AS integer) AS quantity,
    'https://shop.example.com/' || p.product_id AS url,
    p.image
FROM shop_purchases AS o
INNER JOIN generate_series(1, 3) AS l (line_no) ON l.line_no <= o.lines
INNER JOIN products AS p
    ON
        p.product_id
        = split_part(
            '00501,00502,00503,10606,10607,10608,20711',
            ',',
            CAST((o.pick + l.line_no * o.step) % o.among + 1 AS integer)
        )
