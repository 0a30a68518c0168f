-- Products that people have looked at and left: neither in their cart nor bought since.
--
-- Grain:     one product that one person has looked at on one day, in UTC
-- Key:       user_id, product_id, viewed_on
-- Owner:     web
-- Freshness: as fresh as the table page_views; a row is here once its delay is over
--
-- Reads page_views: user_id, email, viewed_at, url, product_id (NULL where the page is none of a
-- product); cart_items: user_id, product_id; order_items: user_id, product_id, ordered_at;
-- products: product_id, name, category, price, sale_price, image.
-- Parameters: as_of; browse_after_s (14400), how long after the last view of the day the event is;
-- image_size (600), in pixels.
--
-- Who is not logged in is nobody here. Looking at it again on the same day makes no second event,
-- and delays the first one as long as it was not sent.
WITH
viewed AS (
    SELECT
        user_id,
        product_id,
        CAST(viewed_at AT TIME ZONE 'UTC' AS date) AS viewed_on,
        max(email) AS email,
        min(viewed_at) AS first_viewed_at,
        max(viewed_at) AS last_viewed_at,
        max(url) AS url,
        count(*) AS views
    FROM page_views
    WHERE user_id IS NOT NULL AND product_id IS NOT NULL
    GROUP BY user_id, product_id, CAST(viewed_at AT TIME ZONE 'UTC' AS date)
),

delayed AS (
    SELECT
        user_id,
        product_id,
        viewed_on,
        email,
        first_viewed_at,
        last_viewed_at
        + INTERVAL '{{ params.browse_after_s | default(14400) }} seconds' AS created_at,
        url,
        views
    FROM viewed
)

SELECT
    v.user_id,
    v.product_id,
    v.viewed_on,
    v.email,
    'Browse Abandonment' AS event_name,
    v.created_at,
    v.views,
    v.url,
    p.name,
    p.category,
    p.price,
    p.sale_price,
    p.image || '?w={{ params.image_size | default(600) }}' AS "imageUrl"
FROM delayed AS v
LEFT JOIN products AS p ON p.product_id = v.product_id
WHERE
    v.created_at <= CAST('{{ as_of }}' AS timestamptz)
    AND NOT EXISTS (
        SELECT 1
        FROM cart_items AS i
        WHERE i.user_id = v.user_id AND i.product_id = v.product_id
    )
    AND NOT EXISTS (
        SELECT 1
        FROM order_items AS i
        WHERE
            i.user_id = v.user_id
            AND i.product_id = v.product_id
            AND i.ordered_at >= v.first_viewed_at
    )
