-- Demo shop: what is in the shipments.
--
-- Grain:     one product of one shipment
-- Key:       shipment_id, line_no
-- Owner:     demo/shop.py, which fills the table shipment_items with it
-- Freshness: that of shipments, which it reads
--
-- Reads shipments and order_items. No parameters. A shipment has all of its order.
SELECT
    s.shipment_id,
    i.line_no,
    i.product_id,
    i.name,
    i.quantity
FROM shipments AS s
INNER JOIN order_items AS i ON i.order_id = s.order_id
