-- Demo shop: who asks to be deleted or forgotten, and who comes back, day by day.
--
-- Grain:     one request of one customer
-- Key:       request_id
-- Owner:     demo/shop.py, which fills the table gdpr_requests with it
-- Freshness: the day asked for; earlier requests stay
--
-- Reads shop_diary and users. No parameters. Who leaves the shop asks to be deleted, and has no
-- e-mail any more. Of those who change their name some ask to be forgotten, though the shop keeps
-- them; half of these come back three days later.
WITH
asked AS (
    SELECT
        person,
        day,
        luck,
        CASE kind WHEN 'gone' THEN 'delete' ELSE 'forget' END AS action
    FROM shop_diary
    WHERE kind = 'gone' OR (kind = 'rename' AND floor(luck / 10.0) % 2 = 0)

    UNION ALL

    SELECT
        person,
        day + 3 AS day,
        luck,
        'unforget' AS action
    FROM shop_diary
    WHERE
        kind = 'rename'
        AND floor(luck / 10.0) % 4 = 0
        AND day + 3 <= (SELECT max(d.day) FROM shop_diary AS d)
),

named AS (
    SELECT
        *,
        'u'
        || lpad(
            CAST(person AS text),
            CAST(greatest(7, length(CAST(person AS text))) AS integer),
            '0'
        ) AS user_id
    FROM asked
)

SELECT
    n.action || '-' || CAST(n.day AS text) || '-' || n.user_id AS request_id,
    n.user_id,
    u.email,
    n.action,
    to_timestamp(1767139200 + CAST(n.day AS bigint) * 86400 + n.luck % 86400) AS requested_at
FROM named AS n
LEFT JOIN users AS u ON u.user_id = n.user_id
