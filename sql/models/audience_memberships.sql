-- Memberships in audiences, as Iterable shall know them.
--
-- Grain:     one customer in one audience
-- Key:       user_id, audience
-- Owner:     CRM
-- Freshness: as fresh as the table users, which the shop rewrites every night
--
-- Who is not in here any more has left the audience. The names are for people: a field of Iterable
-- gets its name from them in snake_case, as order_completed_last_30days. An audience more is one
-- SELECT more. Days are counted from the latest order in the table, and not from today, so that the
-- same table gives the same members.
WITH latest AS (
    SELECT max(last_order_at) AS ordered_at
    FROM users
)

SELECT
    user_id,
    email,
    'Order Completed Last 30days' AS audience
FROM users
INNER JOIN latest ON users.last_order_at > latest.ordered_at - INTERVAL '30 days'

UNION ALL

SELECT
    user_id,
    email,
    'VIP' AS audience
FROM users
WHERE is_vip

UNION ALL

SELECT
    user_id,
    email,
    'Lapsed High Spenders' AS audience
FROM users
INNER JOIN latest ON users.last_order_at <= latest.ordered_at - INTERVAL '90 days'
WHERE lifetime_value >= 500
