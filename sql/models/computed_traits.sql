-- What the warehouse has worked out about customers: what they are worth, and when they come back.
--
-- Grain:     one customer
-- Key:       user_id
-- Owner:     CRM
-- Freshness: as fresh as the tables orders and product_subscriptions; churn_risk is of as_of
--
-- Reads users: user_id, email; orders: order_id, user_id, ordered_at, total (what was paid less
-- what was refunded), currency, is_refunded (all of it); product_subscriptions: user_id, status,
-- next_renewal_at. A shop without subscriptions leaves out the part renewals.
-- Parameters: as_of; usual_interval_s (5184000, 60 days), between the orders of who has one alone.
--
-- An order that was refunded in full is none. Money is in the currency of the latest order, and
-- orders in another one count, but are not summed: nothing is converted. The average is NULL where
-- there is nothing to sum.
-- expected_reorder_at is as long after the latest order as there was between the orders so far, on
-- average, a day at least. churn_risk is 0.25 for each such interval that went by without an order,
-- 1.0 at most, and so changes four times at most until the next one, and not in every run.
WITH
bought AS (
    SELECT
        user_id,
        ordered_at,
        total,
        currency,
        first_value(currency) OVER (
            PARTITION BY user_id
            ORDER BY ordered_at DESC, order_id DESC
        ) AS latest_currency
    FROM orders
    WHERE NOT coalesce(is_refunded, FALSE)
),

sums AS (
    SELECT
        user_id,
        max(latest_currency) AS currency,
        count(*) AS order_count,
        count(CASE WHEN currency IS NOT DISTINCT FROM latest_currency THEN total END) AS summed,
        sum(CASE WHEN currency IS NOT DISTINCT FROM latest_currency THEN total END) AS total,
        max(ordered_at) AS last_order_at,
        CAST(floor(extract(EPOCH FROM min(ordered_at))) AS bigint) AS first_s,
        CAST(floor(extract(EPOCH FROM max(ordered_at))) AS bigint) AS last_s
    FROM bought
    GROUP BY user_id
),

intervals AS (
    SELECT
        *,
        CAST(floor(total * 100 + 0.5) AS bigint) AS cents,
        CASE
            WHEN order_count > 1
                THEN
                    greatest(
                        86400,
                        CAST(floor((last_s - first_s) * 1.0 / (order_count - 1)) AS bigint)
                    )
            ELSE {{ params.usual_interval_s | default(5184000) }}
        END AS usual_s,
        CAST(floor(extract(EPOCH FROM CAST('{{ as_of }}' AS timestamptz))) AS bigint) - last_s
            AS waited_s
    FROM sums
),

renewals AS (
    SELECT
        user_id,
        min(next_renewal_at) AS next_renewal_at
    FROM product_subscriptions
    WHERE status = 'active'
    GROUP BY user_id
)

SELECT
    u.user_id,
    u.email,
    CAST(coalesce(i.total, 0) AS numeric(18, 2)) AS lifetime_value,
    i.currency,
    coalesce(i.order_count, 0) AS order_count,
    -- Half a cent goes up. In whole numbers: engines divide with more digits, or with fewer. The
    -- remainder goes first, since `/` is whole in PostgreSQL and is not in DuckDB.
    CAST(
        (2 * i.cents + i.summed - (2 * i.cents + i.summed) % nullif(2 * i.summed, 0))
        / nullif(2 * i.summed, 0)
        * 0.01
        AS numeric(18, 2)
    ) AS average_order_value,
    i.last_order_at,
    -- least and greatest make a number of NULL.
    CASE
        WHEN i.waited_s IS NOT NULL
            THEN
                CAST(
                    least(1.0, greatest(0.0, 0.25 * floor(i.waited_s * 1.0 / i.usual_s)))
                    AS double precision
                )
    END AS churn_risk,
    to_timestamp(i.last_s + i.usual_s) AS expected_reorder_at,
    r.next_renewal_at
FROM users AS u
LEFT JOIN intervals AS i ON i.user_id = u.user_id
LEFT JOIN renewals AS r ON r.user_id = u.user_id
WHERE u.user_id IS NOT NULL
