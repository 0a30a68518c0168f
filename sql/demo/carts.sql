-- Demo shop: whose cart is not empty, or was emptied by hand, at the end of a day.
--
-- Grain:     one customer with a cart
-- Key:       user_id
-- Owner:     demo/shop.py, which fills the table carts with it
-- Freshness: the day asked for, counted from 2026-01-01, which is day 1
--
-- Reads users. Parameters: users and day, as in diary.sql. One customer in 25 uses the cart; it is
-- another one every third day, and away for three days of fifteen. They are customers some of whom
-- buy something on day 2 while their cart stays as it is.
WITH
numbered AS (
    SELECT
        user_id,
        email,
        CAST(substr(user_id, 2) AS bigint) AS i
    FROM users
    WHERE user_id LIKE 'u0%' AND length(user_id) = 8
),

versions AS (
    SELECT
        user_id,
        email,
        i,
        CAST(floor((floor(i / 25.0) + {{ params.day }}) / 3.0) AS bigint) AS version
    FROM numbered
    WHERE i % 25 = 15 AND i <= {{ params.users }}
)

SELECT
    user_id,
    email,
    version,
    to_timestamp(1767139200 + CAST({{ params.day }} AS bigint) * 86400 - i % 43200) AS updated_at
FROM versions
WHERE version % 5 <> 4
