-- Shipments: when they went off, and when they were delivered.
--
-- Grain:     one event of one shipment
-- Key:       shipment_id, event_name
-- Owner:     logistics
-- Freshness: an event is here some minutes after the table shipments has its time
--
-- Reads shipments: shipment_id, order_id, user_id, email, carrier, tracking_numbers (an array),
-- shipped_at and delivered_at (NULL before), is_subscription, is_rebill; shipment_items:
-- shipment_id, line_no, product_id, name, quantity; order_items: order_id, product_id, price, url,
-- image.
-- Parameters: image_size (600), in pixels.
--
-- An order in two parcels has two of each event. An event is sent once, as it is then: a tracking
-- number that is added later changes nothing.
WITH
ordered AS (
    SELECT
        order_id,
        product_id,
        max(price) AS price,
        max(url) AS url,
        max(image) AS image
    FROM order_items
    GROUP BY order_id, product_id
),

contents AS (
    SELECT
        i.shipment_id,
        to_json(array_agg(item ORDER BY i.line_no)) AS items
    FROM shipment_items AS i
    INNER JOIN shipments AS s ON s.shipment_id = i.shipment_id
    LEFT JOIN ordered AS o ON o.order_id = s.order_id AND o.product_id = i.product_id
    CROSS JOIN LATERAL (
        SELECT
            i.product_id AS id,
            i.name,
            o.price,
            i.quantity,
            o.url,
            o.image || '?w={{ params.image_size | default(600) }}' AS "imageUrl"
    ) AS item
    GROUP BY i.shipment_id
),

moments AS (
    SELECT
        shipment_id,
        'Order Shipped' AS event_name,
        shipped_at AS created_at
    FROM shipments
    WHERE shipped_at IS NOT NULL
    UNION ALL
    SELECT
        shipment_id,
        'Order Delivered' AS event_name,
        delivered_at AS created_at
    FROM shipments
    WHERE delivered_at IS NOT NULL
)

SELECT
    s.shipment_id,
    s.user_id,
    s.email,
    m.event_name,
    m.created_at,
    s.order_id,
    s.carrier,
    s.tracking_numbers,
    s.is_subscription,
    s.is_rebill,
    c.items
FROM moments AS m
INNER JOIN shipments AS s ON s.shipment_id = m.shipment_id
LEFT JOIN contents AS c ON c.shipment_id = s.shipment_id
