-- Page views, as Iterable shall know them.
--
-- Grain:     one view of one page by one person
-- Key:       view_id
-- Owner:     web
-- Freshness: a view is in the table page_views some minutes after it happened, and never changes
--
-- Reads page_views: view_id, user_id, email, viewed_at, campaign_id, url, title, product_id (NULL
-- where the page is none of a product), referrer, seconds_on_page, utm (JSON: source, medium,
-- campaign, term, content, id). No parameters.
--
-- What happened, when and to whom stand at the top of an event; all other columns become its data
-- fields, under the names that they have here. The table may reach back as far as it likes: only
-- what is new is asked for, by the column created_at.
SELECT
    view_id,
    user_id,
    email,
    'Page View' AS event_name,
    viewed_at AS created_at,
    campaign_id,
    url,
    title,
    regexp_replace(url, '^[a-z]+://[^/]*', '') AS path,
    product_id,
    referrer,
    seconds_on_page AS "secondsOnPage",
    utm ->> 'source' AS "utm.source",
    utm ->> 'medium' AS "utm.medium",
    utm ->> 'campaign' AS "utm.campaign",
    utm ->> 'term' AS "utm.term",
    utm ->> 'content' AS "utm.content",
    utm ->> 'id' AS "utm.id"
FROM page_views
