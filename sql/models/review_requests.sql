-- Requests for a review of what was bought and delivered, and not reviewed yet.
--
-- Grain:     one order
-- Key:       order_id
-- Owner:     CRM
-- Freshness: as fresh as the tables shipments and reviews; a row is here once its delay is over
--
-- Reads orders: order_id, user_id, email, is_refunded; order_items: order_id, line_no, product_id,
-- name, url, image; shipments: order_id, delivered_at; reviews: user_id, product_id.
-- Parameters: as_of; review_after_s (604800), how long after the last parcel was delivered the
-- event is; image_size (600), in pixels.
--
-- What the person has reviewed at any time is left out, and an order of which all is reviewed has
-- no event; nor has one that was refunded, or of which a parcel is still on its way. An order has
-- one event, whatever is reviewed, or delivered, afterwards. Where the shop signs its links to a
-- review, have them in review_url instead.
WITH
delivered AS (
    SELECT
        order_id,
        max(delivered_at)
        + INTERVAL '{{ params.review_after_s | default(604800) }} seconds' AS created_at
    FROM shipments
    GROUP BY order_id
    HAVING count(*) = count(delivered_at)
),

bought AS (
    SELECT
        order_id,
        product_id,
        min(line_no) AS line_no,
        max(name) AS name,
        max(url) AS url,
        max(image) AS image
    FROM order_items
    GROUP BY order_id, product_id
),

contents AS (
    SELECT
        o.order_id,
        to_json(array_agg(item ORDER BY b.line_no)) AS items
    FROM orders AS o
    INNER JOIN bought AS b ON b.order_id = o.order_id
    CROSS JOIN LATERAL (
        SELECT
            b.product_id AS id,
            b.name,
            b.url,
            b.url || '/review?order=' || b.order_id AS review_url,
            b.image || '?w={{ params.image_size | default(600) }}' AS "imageUrl"
    ) AS item
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM reviews AS r
            WHERE r.user_id = o.user_id AND r.product_id = b.product_id
        )
    GROUP BY o.order_id
)

SELECT
    o.order_id,
    o.user_id,
    o.email,
    'Review Request' AS event_name,
    d.created_at,
    c.items
FROM orders AS o
INNER JOIN delivered AS d ON d.order_id = o.order_id
INNER JOIN contents AS c ON c.order_id = o.order_id
WHERE
    d.created_at <= CAST('{{ as_of }}' AS timestamptz)
    AND o.is_refunded IS NOT TRUE
