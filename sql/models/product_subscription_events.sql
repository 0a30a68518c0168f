-- Subscriptions to products: that they have started, were renewed, or were cancelled.
--
-- Grain:     one event of one subscription
-- Key:       subscription_id, event_name, created_at
-- Owner:     sales
-- Freshness: an event is here some minutes after the tables have its time
--
-- Reads product_subscriptions: subscription_id, user_id, email, plan, interval_days, price,
-- started_at, next_renewal_at, cancelled_at (NULL before); product_subscription_renewals:
-- subscription_id, order_id, renewed_at; orders: order_id, total, subscription_id, is_rebill.
-- No parameters.
--
-- The first order of a subscription, which is no rebill, belongs to its start and is no renewal,
-- even if it is among the renewals. next_renewal_at is as it stands when the event is sent.
WITH
first_orders AS (
    SELECT
        subscription_id,
        min(order_id) AS order_id
    FROM orders
    WHERE subscription_id IS NOT NULL AND is_rebill IS FALSE
    GROUP BY subscription_id
),

moments AS (
    SELECT
        s.subscription_id,
        'Subscription Started' AS event_name,
        s.started_at AS created_at,
        f.order_id
    FROM product_subscriptions AS s
    LEFT JOIN first_orders AS f ON f.subscription_id = s.subscription_id
    WHERE s.started_at IS NOT NULL
    UNION ALL
    SELECT
        r.subscription_id,
        'Subscription Renewed' AS event_name,
        r.renewed_at AS created_at,
        r.order_id
    FROM product_subscription_renewals AS r
    LEFT JOIN orders AS o ON o.order_id = r.order_id
    WHERE o.is_rebill IS NOT FALSE
    UNION ALL
    SELECT
        subscription_id,
        'Subscription Cancelled' AS event_name,
        cancelled_at AS created_at,
        NULL AS order_id
    FROM product_subscriptions
    WHERE cancelled_at IS NOT NULL
)

SELECT
    s.subscription_id,
    s.user_id,
    s.email,
    m.event_name,
    m.created_at,
    s.plan,
    s.interval_days,
    s.price,
    m.order_id,
    o.total AS order_total,
    o.is_rebill,
    CASE WHEN s.cancelled_at IS NULL THEN s.next_renewal_at END AS next_renewal_at
FROM moments AS m
INNER JOIN product_subscriptions AS s ON s.subscription_id = m.subscription_id
LEFT JOIN orders AS o ON o.order_id = m.order_id
