-- Demo shop, 1 of 3: what happens to whom on which day.
--
-- Grain:     one event of one person on one day, from day 2 to the day asked for
-- Key:       day, person
-- Owner:     demo/shop.py, which fills the table shop_diary with it
-- Freshness: the day asked for; a day's events never change afterwards
--
-- Parameters, rendered by Jinja or by a plain replacement of the text between the braces:
-- users (how many people the shop starts with, 200 or more) and day (1 is the first).
-- Valid on DuckDB and PostgreSQL, with the same rows: luck is arithmetic on bigint, since the hash
-- functions of the engines differ. It is a product of three terms modulo a prime below 2^30, so
-- nothing overflows.
--
-- Every lane of events has slots. A slot owns a stretch of people and picks one of them a day, so
-- counts are exact and no person has two events on a day:
--   flap    0.5 % of the people, always the same, take their consent to e-mail back and forth
--   change  1.5 % have one or a few of their fields changed
--   gone    0.1 % leave, and stay away
--   email   0.05 %, and 3 at least, change their e-mail
WITH
days AS (
    SELECT day
    FROM generate_series(2, {{ params.day }}) AS d (day)
),

lanes AS (
    SELECT 'flap' AS lane, floor({{ params.users }} / 200.0) AS slots, 4 AS gap
    UNION ALL
    SELECT 'change', floor({{ params.users }} * 3 / 200.0), 4
    UNION ALL
    SELECT 'gone', greatest(1, floor({{ params.users }} / 1000.0)), 8
    UNION ALL
    SELECT 'email', greatest(3, floor({{ params.users }} / 2000.0)), 8
),

slots AS (
    SELECT
        l.lane,
        l.gap,
        s.slot,
        CAST(floor(floor({{ params.users }} * 1.0 / l.gap) / l.slots) AS bigint) AS stretch
    FROM lanes AS l
    INNER JOIN generate_series(0, CAST(floor({{ params.users }} / 64.0) AS bigint)) AS s (slot)
        ON s.slot < l.slots
),

seeds AS (
    SELECT
        s.*,
        d.day,
        (s.slot * 48271 + 17) % 1073741789 AS of_slot,
        (s.slot * 48271 + d.day * 69621 + 29) % 1073741789 AS of_day
    FROM slots AS s
    CROSS JOIN days AS d
),

lucks AS (
    SELECT
        s.*,
        (of_slot + 101) * (of_slot + 70001) % 1073741789 * (of_slot + 300007) % 1073741789 AS spot,
        (of_day + 211) * (of_day + 90001) % 1073741789 * (of_day + 500009) % 1073741789 AS day_spot,
        (of_day + 307) * (of_day + 80021) % 1073741789 * (of_day + 700001) % 1073741789 AS luck
    FROM seeds AS s
)

SELECT
    CAST(day AS integer) AS day,
    -- Flaps have the people 1, 5, 9 ..., changes 2, 6 ... and 3, 7 ... by turns, those who
    -- go 4, 12 ..., and new e-mails 8, 16 ...
    CASE lane
        WHEN 'flap' THEN 1 + gap * (slot * stretch + spot % stretch)
        WHEN 'change' THEN 2 + day % 2 + gap * (slot * stretch + day_spot % stretch)
        -- One further each day: nobody leaves twice.
        WHEN 'gone' THEN 4 + gap * (slot * stretch + (spot + day) % stretch)
        ELSE 8 + gap * (slot * stretch + (spot + day) % stretch)
    END AS person,
    CASE
        WHEN lane <> 'change' THEN lane
        WHEN luck % 10 < 4 THEN 'order'
        WHEN luck % 10 < 6 THEN 'taste'
        ELSE split_part('move,plan,sms,rename', ',', CAST(luck % 10 - 5 AS integer))
    END AS kind,
    luck
FROM lucks
