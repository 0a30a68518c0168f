-- Demo shop: the pages that customers have looked at.
--
-- Grain:     one view of one page by one customer
-- Key:       view_id
-- Owner:     demo/shop.py, which fills the table page_views with it
-- Freshness: the day asked for; a view never changes afterwards
--
-- Reads users and products. Parameters: users and day, as in diary.sql. One customer in eight looks
-- at a page a day, of a product or of a category. Who has left the shop is in no table of it, so
-- their views are not here either.
WITH
days AS (
    SELECT CAST(day AS bigint) AS day
    FROM generate_series(1, {{ params.day }}) AS d (day)
),

people AS (
    SELECT
        user_id,
        email,
        signed_up_at,
        CAST(substr(user_id, 2) AS bigint) AS i
    FROM users
    WHERE user_id LIKE 'u%'
),

seeds AS (
    SELECT
        p.*,
        d.day,
        (p.i * 48271 + d.day * 69621 + 41) % 1073741789 AS s
    FROM people AS p
    CROSS JOIN days AS d
    -- A day begins at midnight in UTC; 2026-01-01 is day 1.
    WHERE p.signed_up_at < to_timestamp(1767139200 + (d.day + 1) * 86400)
),

lucks AS (
    SELECT
        seeds.*,
        (s + 167) * (s + 83003) % 1073741789 * (s + 430007) % 1073741789 AS luck
    FROM seeds
),

views AS (
    SELECT
        lucks.*,
        -- Seven of them, since every luck here is a multiple of eight.
        split_part(
            'Garden,Books,Toys,Music,Sports,Kitchen,Pets', ',', CAST(luck % 7 + 1 AS integer)
        ) AS page
    FROM lucks
    WHERE luck % 8 = 0
)

SELECT
    'v' || CAST(v.day AS text) || '-' || CAST(v.i AS text) AS view_id,
    v.user_id,
    v.email,
    to_timestamp(1767139200 + v.day * 86400 + v.luck % 86400) AS viewed_at,
    CASE WHEN v.luck % 3 = 0 THEN CAST(4000 + v.luck % 5 AS bigint) END AS campaign_id,
    'https://shop.example.com/' || coalesce(p.product_id, lower(v.page)) AS url,
    coalesce(p.name, v.page) AS title,
    CASE WHEN v.luck % 5 = 0 THEN 'https://search.example.org/' END AS referrer,
    CAST(v.luck % 240 + 3 AS integer) AS seconds_on_page,
    CASE
        WHEN v.luck % 3 = 0 THEN CAST('{"source":"newsletter","medium":"email"}' AS json)
    END AS utm,
    p.product_id
FROM views AS v
LEFT JOIN products AS p
    ON
        v.luck % 5 > 2
        AND p.product_id
        = split_part(
            '00501,00502,00503,10606,10607,10608,20711', ',', CAST(v.luck % 7 + 1 AS integer)
        )
