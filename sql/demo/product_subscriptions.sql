-- Demo shop: the subscriptions of its customers as they are at the end of a day.
--
-- Grain:     one subscription
-- Key:       subscription_id
-- Owner:     demo/shop.py, which fills the table product_subscriptions with it
-- Freshness: the day asked for
--
-- Reads shop_subscriptions and users. No parameters. Those of who has left the shop are gone.
SELECT
    s.subscription_id,
    u.user_id,
    u.email,
    s.plan,
    CASE
        WHEN s.cancelled_after IS NOT NULL THEN 'cancelled'
        WHEN s.paused_after IS NOT NULL THEN 'paused'
        ELSE 'active'
    END AS status,
    s.interval_days,
    s.price,
    to_timestamp(s.started_s) AS started_at,
    CASE
        WHEN s.renewals > 0
            THEN to_timestamp(s.started_s + s.renewals * s.interval_days * 86400)
    END AS renewed_at,
    CASE
        WHEN coalesce(s.cancelled_after, s.paused_after) IS NULL
            THEN to_timestamp(s.started_s + (s.renewals + 1) * s.interval_days * 86400)
    END AS next_renewal_at,
    CASE
        WHEN s.cancelled_after IS NOT NULL
            THEN to_timestamp(s.started_s + s.cancelled_after * 86400)
    END AS cancelled_at
FROM shop_subscriptions AS s
INNER JOIN users AS u ON u.user_id = 'u' || lpad(CAST(s.person AS text), 7, '0')
