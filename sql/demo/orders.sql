-- Demo shop: the orders as they are at the end of a day.
--
-- Grain:     one order
-- Key:       order_id
-- Owner:     demo/shop.py, which fills the table orders with it
-- Freshness: the day asked for; of the orders S of the day before, one in twenty is refunded
--
-- Reads shop_purchases, order_items and users. Parameters: day, as in diary.sql. total is what was
-- paid less what was refunded. What has led to the order is there for each one that was a cart, and
-- for some of the others: the message, or the link (utm).
WITH
places (n, country, city, street, postcode) AS (
    VALUES
    (0, 'US', 'New York', 'Pearl Street', '10004'),
    (1, 'GB', 'Manchester', 'Deansgate', 'M3 4LQ'),
    (2, 'FR', 'Orléans', 'rue de la République', '45000'),
    (3, 'DE', 'Köln', 'Ehrenstraße', '50672')
),

paid AS (
    SELECT
        order_id,
        sum(price * quantity) AS amount
    FROM order_items
    GROUP BY order_id
),

totals AS (
    SELECT
        o.*,
        a.amount,
        coalesce(o.slot % 20 = 1 AND o.purchase_day < {{ params.day }}, FALSE) AS is_refunded,
        'u' || lpad(CAST(o.person AS text), 7, '0') AS user_id,
        CASE
            WHEN o.cart_id IS NOT NULL THEN 7002
            WHEN o.slot % 8 = 3 THEN 7001
        END AS campaign_id
    FROM shop_purchases AS o
    INNER JOIN paid AS a ON a.order_id = o.order_id
)

SELECT
    t.order_id,
    t.user_id,
    u.email,
    t.cart_id,
    to_timestamp(t.ordered_s) AS ordered_at,
    CAST(CASE WHEN t.is_refunded THEN 0 ELSE t.amount END AS numeric(12, 2)) AS total,
    CAST(CASE WHEN t.is_refunded THEN t.amount ELSE 0 END AS numeric(12, 2)) AS refunded_amount,
    t.is_refunded,
    CAST(
        CASE WHEN t.is_refunded THEN 0 ELSE t.amount * 0.4 END AS numeric(12, 2)
    ) AS profit,
    CASE WHEN t.person % 4 = 0 THEN 'USD' ELSE 'EUR' END AS currency,
    CASE WHEN t.slot % 4 = 2 THEN 'WELCOME' END AS coupon,
    t.subscription_id,
    t.is_rebill,
    CAST(
        CASE
            WHEN t.cart_id IS NOT NULL
                THEN
                    '{"source":"iterable","medium":"email","campaign":"return-cart",'
                    || '"term":"","content":"button","id":"utm-7002"}'
            WHEN t.slot % 3 = 0
                THEN
                    '{"source":"newsletter","medium":"email","campaign":"spring",'
                    || '"term":"garden","content":"hero","id":"utm-'
                    || CAST(t.purchase_day AS text)
                    || '"}'
        END
        AS json
    ) AS utm,
    CAST(t.campaign_id AS bigint) AS campaign_id,
    CAST(t.campaign_id + 1000 AS bigint) AS template_id,
    CASE WHEN t.campaign_id IS NOT NULL THEN 'message-' || t.order_id END AS message_id,
    CAST(
        '{"street":"' || b.street || ' ' || CAST(t.person % 90 + 1 AS text)
        || '","postcode":"' || b.postcode
        || '","city":"' || b.city
        || '","country":"' || b.country || '"}'
        AS json
    ) AS billing_address,
    CAST(
        '{"street":"' || s.street || ' ' || CAST(t.person % 90 + 1 AS text)
        || '","postcode":"' || s.postcode
        || '","city":"' || s.city
        || '","country":"' || s.country || '"}'
        AS json
    ) AS shipping_address
FROM totals AS t
INNER JOIN places AS b ON b.n = t.person % 4
-- One order in five goes elsewhere.
INNER JOIN places AS s ON s.n = (t.person + CASE WHEN t.luck % 5 = 0 THEN 1 ELSE 0 END) % 4
LEFT JOIN users AS u ON u.user_id = t.user_id
