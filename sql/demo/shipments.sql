-- Demo shop: what has left the house, and whether it has arrived, at the end of a day.
--
-- Grain:     one shipment, the only one of its order
-- Key:       shipment_id
-- Owner:     demo/shop.py, which fills the table shipments with it
-- Freshness: the day asked for
--
-- Reads shop_purchases and orders. Parameters: day, as in diary.sql. An order is shipped a day
-- later, unless it was refunded, and arrives two days after that. One in four is two parcels.
SELECT
    'sh-' || o.order_id AS shipment_id,
    o.order_id,
    o.user_id,
    o.email,
    split_part('DHL,UPS,GLS', ',', CAST(p.luck % 3 + 1 AS integer)) AS carrier,
    CASE
        WHEN p.luck % 4 = 0
            THEN
                ARRAY[
                    '1Z' || lpad(CAST(p.luck % 99999989 AS text), 8, '0') || o.order_id,
                    '2Z' || lpad(CAST(p.luck % 99999989 AS text), 8, '0') || o.order_id
                ]
        ELSE ARRAY['1Z' || lpad(CAST(p.luck % 99999989 AS text), 8, '0') || o.order_id]
    END AS tracking_numbers,
    to_timestamp(p.ordered_s + 86400) AS shipped_at,
    CASE
        WHEN p.purchase_day + 3 <= {{ params.day }} THEN to_timestamp(p.ordered_s + 3 * 86400)
    END AS delivered_at,
    o.subscription_id IS NOT NULL AS is_subscription,
    o.is_rebill
FROM shop_purchases AS p
INNER JOIN orders AS o ON o.order_id = p.order_id
WHERE p.purchase_day + 1 <= {{ params.day }} AND NOT o.is_refunded
