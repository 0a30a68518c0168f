-- Demo shop: who has said what he thinks of a product.
--
-- Grain:     one product that one customer has reviewed
-- Key:       user_id, product_id
-- Owner:     demo/shop.py, which fills the table reviews with it
-- Freshness: the day asked for; a review stays
--
-- Reads shop_purchases, shipments and shipment_items. Parameters: day, as in diary.sql. One line in
-- three is reviewed the day after it has arrived; of several reviews of a product the first counts.
SELECT
    s.user_id,
    i.product_id,
    min(to_timestamp(p.ordered_s + 4 * 86400)) AS reviewed_at
FROM shop_purchases AS p
INNER JOIN shipments AS s ON s.order_id = p.order_id
INNER JOIN shipment_items AS i ON i.shipment_id = s.shipment_id
WHERE p.purchase_day + 4 <= {{ params.day }} AND (p.luck + i.line_no) % 3 = 0
GROUP BY s.user_id, i.product_id
