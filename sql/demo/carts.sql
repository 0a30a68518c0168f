-- Demo shop: whose cart is not empty, or was emptied by hand, at the end of a day.
--
-- Grain:     one customer with a cart
-- Key:       user_id
-- Owner:     demo/shop.py, which fills the table carts with it
-- Freshness: the day asked for, counted from 2026-01-01, which is day 1
--
-- Reads users and shop_purchases. Parameters: users and day, as in diary.sql. One customer in 25
-- uses the cart; it is another one every third day, and away for three days of fifteen, or once it
-- was ordered. They are customers some of whom buy something on day 2 while their cart stays as it
-- is. updated_at is in the afternoon of the day on which the version began.
WITH
numbered AS (
    SELECT
        user_id,
        email,
        CAST(substr(user_id, 2) AS bigint) AS i
    FROM users
    WHERE user_id LIKE 'u0%' AND length(user_id) = 8
),

turns AS (
    SELECT
        user_id,
        email,
        i,
        CAST(floor(i / 25.0) + {{ params.day }} AS bigint) AS turn
    FROM numbered
    WHERE i % 25 = 15 AND i <= {{ params.users }}
),

versions AS (
    SELECT
        user_id,
        email,
        i,
        {{ params.day }} - turn % 3 AS begun_day,
        CAST(floor(turn / 3.0) AS bigint) AS version
    FROM turns
),

carts AS (
    SELECT
        *,
        'cart-' || CAST(i AS text) || '-' || CAST(version AS text) AS cart_id
    FROM versions
    WHERE version % 5 <> 4
)

SELECT
    c.cart_id,
    c.user_id,
    c.email,
    c.version,
    to_timestamp(1767139200 + c.begun_day * 86400 + 43200 + c.i * 7919 % 36000) AS updated_at,
    'https://shop.example.com/cart/'
    || c.cart_id
    || '?token='
    || CAST(c.i * 48271 % 1073741789 * (c.version + 101) % 1073741789 AS text) AS return_url
FROM carts AS c
LEFT JOIN shop_purchases AS o ON o.cart_id = c.cart_id
WHERE o.cart_id IS NULL
