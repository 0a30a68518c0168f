-- Memberships in audiences, as Iterable shall know them.
--
-- Grain:     one customer in one audience
-- Key:       user_id, audience
-- Owner:     CRM
-- Freshness: as fresh as the tables of the shop; days are counted back from as_of
--
-- Reads users: user_id, email, is_vip, phone, sms_opt_in; and what computed_traits.sql and
-- abandoned_carts.sql read, whose rules these are: one place says who is at risk, and what an
-- abandoned cart is. Parameters: those of both.
--
-- Who is not in here any more has left the audience: who orders is no cart abandoner. The names are
-- for people: a field of Iterable gets its name from them in snake_case, as
-- order_completed_last_30days, which no other sync may write: churn_risk is a trait. An audience
-- more is one SELECT more.
WITH
traits AS (
    {% include 'models/computed_traits.sql' %}
),

left_carts AS (
    {% include 'models/abandoned_carts.sql' %}
)

SELECT
    user_id,
    email,
    'Order Completed Last 30days' AS audience
FROM traits
WHERE last_order_at > CAST('{{ as_of }}' AS timestamptz) - INTERVAL '30 days'

UNION ALL

SELECT
    user_id,
    email,
    'VIP' AS audience
FROM users
WHERE is_vip AND user_id IS NOT NULL

UNION ALL

SELECT
    user_id,
    email,
    'At Churn Risk' AS audience
FROM traits
WHERE churn_risk >= 0.5

UNION ALL

SELECT DISTINCT
    user_id,
    email,
    'Cart Abandoners' AS audience
FROM left_carts
WHERE event_name = 'Cart Abandoned' AND user_id IS NOT NULL

UNION ALL

SELECT
    user_id,
    email,
    'SMS Opted In' AS audience
FROM users
WHERE sms_opt_in AND phone <> '' AND user_id IS NOT NULL

UNION ALL

SELECT
    user_id,
    email,
    'Never Ordered' AS audience
FROM traits
WHERE order_count = 0
