-- Orders with their lines, as Iterable shall know them: each is a purchase.
--
-- Grain:     one line of one order; an order without lines is one row
-- Key:       order_id, once the lines are folded
-- Owner:     sales
-- Freshness: an order is there some minutes after it was made; a refund changes it
--
-- The columns below items are the line's, all others are the same in all lines of an order. Those
-- that Iterable does not know, of the order as of the line, become data fields.
SELECT
    o.order_id,
    o.user_id,
    o.email,
    o.ordered_at AS created_at,
    o.total,
    o.campaign_id,
    o.coupon,
    o.is_refunded AS "isRefunded",
    i.product_id AS items__product_id,
    i.name AS items__name,
    i.price AS items__price,
    i.quantity AS items__quantity,
    i.category AS items__category,
    i.line_no AS "items__lineNo"
FROM orders AS o
LEFT JOIN order_items AS i ON i.order_id = o.order_id
