-- What customers have subscribed to, so that it can be renewed, paused and cancelled in time.
--
-- Grain:     one customer who has, or has had, a subscription
-- Key:       user_id
-- Owner:     sales
-- Freshness: as fresh as the table product_subscriptions
--
-- Reads product_subscriptions: subscription_id, user_id, email, plan, status (active, paused or
-- cancelled), interval_days, price, started_at, renewed_at, next_renewal_at, cancelled_at. No
-- parameters.
--
-- All of it is one object of the person, subscription. Of several subscriptions it is the one that
-- was started last; the next renewal of all of them is the trait next_renewal_at of
-- computed_traits.sql.
WITH newest AS (
    SELECT
        s.*,
        row_number() OVER (
            PARTITION BY s.user_id
            ORDER BY s.started_at DESC, s.subscription_id DESC
        ) AS age
    FROM product_subscriptions AS s
)

SELECT
    user_id,
    email,
    subscription_id AS "subscription.id",
    status AS "subscription.status",
    plan AS "subscription.plan",
    interval_days AS "subscription.interval_days",
    price AS "subscription.price",
    started_at AS "subscription.started_at",
    renewed_at AS "subscription.renewed_at",
    next_renewal_at AS "subscription.next_renewal_at",
    cancelled_at AS "subscription.cancelled_at"
FROM newest
WHERE age = 1
