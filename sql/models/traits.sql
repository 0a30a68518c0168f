-- Traits of customers: what the warehouse has worked out about them.
--
-- Grain:     one trait of one customer
-- Key:       user_id, and the trait's name in the column trait
-- Owner:     CRM
-- Freshness: as fresh as the table users, which the shop rewrites every night
--
-- Reads users: user_id, email, phone, sms_opt_in, order_count, lifetime_value, loyalty_points. No
-- parameters.
--
-- This is the long form: each SELECT adds a trait, and whoever has none of it is not in there. The
-- names are for people; a field of Iterable gets its name from them in snake_case, as
-- average_order_points. Values are text, so that traits of all kinds stand in one column: what they
-- are in Iterable is said in the DAG. No other sync may write these fields.
SELECT
    user_id,
    email,
    'Spend Band' AS trait,
    CASE
        WHEN lifetime_value >= 1000 THEN 'high'
        WHEN lifetime_value >= 100 THEN 'middle'
        ELSE 'low'
    END AS value
FROM users
WHERE order_count > 0

UNION ALL

SELECT
    user_id,
    email,
    'Average Order Points' AS trait,
    CAST(CAST(floor(loyalty_points / order_count) AS bigint) AS text) AS value
FROM users
WHERE order_count > 0

UNION ALL

SELECT
    user_id,
    email,
    'Reachable By SMS' AS trait,
    CAST(phone IS NOT NULL AND sms_opt_in AS text) AS value
FROM users
