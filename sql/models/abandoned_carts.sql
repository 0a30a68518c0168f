-- Carts that people have left: an event after a while, and another one when they do not come back.
--
-- Grain:     one stage of one cart, each time that it was changed
-- Key:       cart_id, cart_updated_at, event_name
-- Owner:     web
-- Freshness: as fresh as the tables carts and orders; a row is here once its delay is over
--
-- Reads carts: cart_id (another one after an order), user_id, email, updated_at (when what is in it
-- was changed last), return_url (the link back, signed by the shop); cart_items: user_id,
-- product_id, name, price, quantity, url, image; orders: cart_id, user_id, email, ordered_at; users:
-- user_id, first_name, sms_opt_in.
-- Parameters: as_of; trigger_after_s (3600) and abandon_after_s (86400), how long after the change
-- `Return Cart` and `Cart Abandoned` are; order_window_s (604800); image_size (600), in pixels.
--
-- An order of that cart, whenever it was, or of that person within order_window_s after the change,
-- and there is no event any more. A cart that is changed begins anew, and both events may follow
-- again. The time of an event is that of the cart and not of the run, and no delay is in the key:
-- neither a second run nor another delay sends an event twice.
WITH
contents AS (
    SELECT
        i.user_id,
        CAST(sum(i.price * i.quantity) AS numeric(12, 2)) AS total,
        to_json(array_agg(item ORDER BY item.id)) AS items
    FROM cart_items AS i
    CROSS JOIN LATERAL (
        SELECT
            i.product_id AS id,
            i.name,
            i.price,
            i.quantity,
            i.url,
            i.image || '?w={{ params.image_size | default(600) }}' AS "imageUrl"
    ) AS item
    GROUP BY i.user_id
),

unordered AS (
    SELECT
        c.cart_id,
        c.user_id,
        c.email,
        c.updated_at,
        c.return_url
    FROM carts AS c
    WHERE
        NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.cart_id = c.cart_id)
        AND NOT EXISTS (
            SELECT 1
            FROM orders AS o
            WHERE
                o.user_id = c.user_id
                AND o.ordered_at >= c.updated_at
                AND o.ordered_at
                <= c.updated_at + INTERVAL '{{ params.order_window_s | default(604800) }} seconds'
        )
        -- Who has ordered without logging in.
        AND NOT EXISTS (
            SELECT 1
            FROM orders AS o
            WHERE
                lower(o.email) = lower(c.email)
                AND o.ordered_at >= c.updated_at
                AND o.ordered_at
                <= c.updated_at + INTERVAL '{{ params.order_window_s | default(604800) }} seconds'
        )
),

stages (event_name, delay) AS (
    VALUES
    ('Return Cart', INTERVAL '{{ params.trigger_after_s | default(3600) }} seconds'),
    ('Cart Abandoned', INTERVAL '{{ params.abandon_after_s | default(86400) }} seconds')
)

SELECT
    c.cart_id,
    c.updated_at AS cart_updated_at,
    c.user_id,
    c.email,
    s.event_name,
    c.updated_at + s.delay AS created_at,
    c.return_url,
    u.first_name,
    u.sms_opt_in,
    t.total,
    t.items
FROM unordered AS c
CROSS JOIN stages AS s
INNER JOIN contents AS t ON t.user_id = c.user_id
LEFT JOIN users AS u ON u.user_id = c.user_id
WHERE c.updated_at + s.delay <= CAST('{{ as_of }}' AS timestamptz)
