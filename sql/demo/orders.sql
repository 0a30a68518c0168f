-- Demo shop: the orders as they are at the end of a day.
--
-- Grain:     one order
-- Key:       order_id
-- Owner:     demo/shop.py, which fills the table orders with it
-- Freshness: the day asked for; of the orders of the day before, one in twenty is refunded
--
-- Reads order_items and users. Parameters: day, as in diary.sql.
WITH
totals AS (
    SELECT
        order_id,
        user_id,
        ordered_at,
        sum(price * quantity) AS total,
        CAST(split_part(order_id, '-', 2) AS bigint) AS slot,
        CAST(substr(split_part(order_id, '-', 1), 2) AS bigint) AS day
    FROM order_items
    GROUP BY order_id, user_id, ordered_at
)

SELECT
    t.order_id,
    t.user_id,
    u.email,
    t.ordered_at,
    CAST(
        CASE WHEN t.slot % 20 = 1 AND t.day < {{ params.day }} THEN 0 ELSE t.total END
        AS numeric(12, 2)
    ) AS total,
    t.slot % 20 = 1 AND t.day < {{ params.day }} AS is_refunded,
    CASE WHEN t.slot % 4 = 2 THEN 'WELCOME' END AS coupon,
    CAST(CASE WHEN t.slot % 8 = 3 THEN 7001 END AS bigint) AS campaign_id
FROM totals AS t
LEFT JOIN users AS u ON u.user_id = t.user_id
