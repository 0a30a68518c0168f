-- Demo shop: which voucher codes are whose.
--
-- Grain:     one code of one customer
-- Key:       user_id, alias
-- Owner:     demo/shop.py, which fills the table voucher_assignments with it
-- Freshness: the day asked for; a code stays
--
-- Reads users. Parameters: users and day, as in diary.sql. Who is new gets a code to welcome him, a
-- minute after the sign-up, and so did one in forty of the old customers; one in twenty has a code
-- for friends, some more of them each day until day 9.
WITH
numbered AS (
    SELECT
        user_id,
        email,
        signed_up_at,
        CAST(substr(user_id, 2) AS bigint) AS i
    FROM users
    WHERE user_id LIKE 'u0%' AND length(user_id) = 8
),

assigned AS (
    SELECT
        user_id,
        email,
        i,
        'Welcome Codes' AS campaign,
        'welcome_codes' AS alias,
        'voucher' AS kind,
        'WEL' AS prefix,
        '10 % off your first order' AS marketing_text,
        CAST(floor(extract(epoch FROM signed_up_at)) AS bigint) + 60 AS assigned_s,
        30 AS days_valid
    FROM numbered
    WHERE i > {{ params.users }} OR i % 40 = 9

    UNION ALL

    SELECT
        user_id,
        email,
        i,
        'Referral Program' AS campaign,
        'referral' AS alias,
        'referral' AS kind,
        'REF' AS prefix,
        '5 off for a friend, 5 off for you' AS marketing_text,
        1767139200
        + (CAST(floor(i / 20.0) AS bigint) % 40 - 30) * 86400
        + i * 7919 % 86400 AS assigned_s,
        365 AS days_valid
    FROM numbered
    WHERE i % 20 = 4 AND i <= {{ params.users }}
)

SELECT
    user_id,
    email,
    campaign,
    alias,
    prefix || '-' || lpad(CAST(i * 48271 % 1073741789 AS text), 10, '0') AS code,
    kind,
    marketing_text,
    to_timestamp(assigned_s) AS assigned_at,
    to_timestamp(assigned_s + days_valid * 86400) AS valid_until
FROM assigned
WHERE assigned_s < 1767139200 + CAST({{ params.day }} + 1 AS bigint) * 86400
