-- Demo shop: which order renewed which subscription.
--
-- Grain:     one renewal of one subscription
-- Key:       order_id
-- Owner:     demo/shop.py, which fills the table product_subscription_renewals with it
-- Freshness: the day asked for; a renewal stays
--
-- Reads product_subscriptions and shop_purchases. No parameters.
SELECT
    s.subscription_id,
    o.order_id,
    to_timestamp(o.ordered_s) AS renewed_at
FROM product_subscriptions AS s
INNER JOIN shop_purchases AS o ON o.subscription_id = s.subscription_id AND o.is_rebill
