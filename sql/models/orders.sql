-- Orders with their lines, as Iterable shall know them: each is a purchase.
--
-- Grain:     one line of one order; an order without lines is one row
-- Key:       order_id, once the lines are folded
-- Owner:     sales
-- Freshness: an order is there some minutes after it was made; a refund changes it
--
-- Reads orders: order_id, user_id, email, cart_id, ordered_at, total (what was paid less what was
-- refunded), refunded_amount, is_refunded, profit, currency, coupon, subscription_id, is_rebill,
-- utm (JSON: source, medium, campaign, term, content, id), campaign_id, template_id, message_id
-- (those of Iterable's message that led to it), billing_address, shipping_address (JSON);
-- order_items: order_id, line_no, product_id, name, category, price, quantity, url, image (a URL
-- without size).
-- Parameters: image_size (600), in pixels.
--
-- The columns below items are the line's, all others are the same in all lines of an order. Those
-- that Iterable does not know, of the order as of the line, become data fields; an address is an
-- object. repeat is whether the person has ordered before: an order stays what it is, unless an
-- older one comes late into the table.
WITH numbered AS (
    SELECT
        o.*,
        row_number() OVER (
            PARTITION BY coalesce(o.user_id, lower(o.email))
            ORDER BY o.ordered_at, o.order_id
        ) AS nth
    FROM orders AS o
)

SELECT
    o.order_id,
    o.user_id,
    o.email,
    o.ordered_at AS created_at,
    o.total,
    o.campaign_id,
    o.template_id,
    o.message_id AS "messageId",
    o.coupon,
    o.is_refunded AS "isRefunded",
    o.refunded_amount AS "refundedAmount",
    o.profit,
    o.currency,
    o.nth > 1 AS "repeat",
    o.cart_id AS "cartId",
    o.subscription_id AS "subscriptionId",
    o.is_rebill AS "isRebill",
    o.utm ->> 'source' AS utm_source,
    o.utm ->> 'medium' AS utm_medium,
    o.utm ->> 'campaign' AS utm_campaign,
    o.utm ->> 'term' AS utm_term,
    o.utm ->> 'content' AS utm_content,
    o.utm ->> 'id' AS utm_id,
    o.billing_address,
    o.shipping_address,
    i.product_id AS items__product_id,
    i.name AS items__name,
    i.price AS items__price,
    i.quantity AS items__quantity,
    i.category AS items__category,
    i.url AS items__url,
    i.image || '?w={{ params.image_size | default(600) }}' AS items__image_url,
    i.line_no AS "items__lineNo"
FROM numbered AS o
LEFT JOIN order_items AS i ON i.order_id = o.order_id
