-- Demo shop, 2 of 3: the customers as they are at the end of a day.
--
-- Grain:     one customer
-- Key:       user_id (NULL in one bad row)
-- Owner:     demo/shop.py, which fills the table users with it
-- Freshness: the day asked for, counted from 2026-01-01, which is day 1
--
-- Reads shop_diary. Parameters: users and day, as in diary.sql. Every day 1 % of new customers
-- come. E-mails are of the example domains and unique after lower-casing; phones are of the ranges
-- that are kept free for fiction.
--
-- Day 1 has no bad rows. From day 2 on there are always these seven, each with its name in user_id
-- (bad_<kind>) or, without a userId, in the e-mail:
--   key_null               no user_id
--   user_id_too_long       more than 52 characters
--   user_id_not_ascii      a letter that a userId may not have
--   email_invalid          no @ in it
--   email_unknown_domain   well formed, but of no top-level domain that exists: Iterable says so
--   email_of_another_user  the e-mail of u0000002, in other letters
--   score_infinite         a double that JSON cannot hold
WITH
places (
    place, country, locale, time_zone, city, street, phone_range, phone_digits
) AS (
    VALUES
    (0, 'US', 'en-US', 'America/New_York', 'New York', 'Pearl Street', '+121255501', 2),
    (1, 'US', 'en-US', 'America/Los_Angeles', 'Los Angeles', 'Sunset Boulevard', '+131055501', 2),
    (2, 'US', 'es-US', 'America/Chicago', 'Chicago', 'Oak Street', '+131255501', 2),
    (3, 'CA', 'en-CA', 'America/Toronto', 'Toronto', 'Queen Street West', '+141655501', 2),
    (4, 'CA', 'fr-CA', 'America/Toronto', 'Montréal', 'rue Saint-Denis', '+151455501', 2),
    (5, 'GB', 'en-GB', 'Europe/London', 'London', 'King''s Road', '+442079460', 3),
    (6, 'GB', 'en-GB', 'Europe/London', 'Manchester', 'Deansgate', '+441614960', 3),
    (7, 'FR', 'fr-FR', 'Europe/Paris', 'Orléans', 'rue de la République', '+3363998', 4),
    (8, 'DE', 'de-DE', 'Europe/Berlin', 'Berlin', 'Torstraße', '+493023125', 3),
    (9, 'DE', 'de-DE', 'Europe/Berlin', 'Köln', 'Ehrenstraße', '+492214710', 3),
    (10, 'SE', 'sv-SE', 'Europe/Stockholm', 'Göteborg', 'Kungsgatan', '+463139006', 2),
    (11, 'AU', 'en-AU', 'Australia/Sydney', 'Sydney', 'George Street', '+6125550', 4)
),

first_names (n, name, plain) AS (
    VALUES
    (0, 'Ana', 'Ana'),
    (1, 'Jörg', 'Joerg'),
    (2, 'Zoë', 'Zoe'),
    (3, 'François', 'Francois'),
    (4, 'Søren', 'Soren'),
    (5, 'Łukasz', 'Lukasz'),
    (6, 'Şule', 'Sule'),
    (7, 'José', 'Jose'),
    (8, 'Åsa', 'Asa'),
    (9, 'Mia', 'Mia'),
    (10, 'Željko', 'Zeljko'),
    (11, 'Siân', 'Sian'),
    (12, 'Noah', 'Noah'),
    (13, 'Olena', 'Olena'),
    (14, 'Anne-Marie', 'Anne-Marie'),
    (15, 'Đặng', 'Dang'),
    (16, 'Ines', 'Ines'),
    (17, 'William', 'William'),
    (18, '小林', 'Kobayashi'),
    (19, 'Ivana', 'Ivana'),
    (20, 'Ágnes', 'Agnes'),
    (21, 'Omar', 'Omar'),
    (22, 'Maria', 'Maria')
),

last_names (n, name, plain) AS (
    VALUES
    (0, 'Novák', 'Novak'),
    (1, 'Müller', 'Mueller'),
    (2, 'O''Brien', 'OBrien'),
    (3, 'García López', 'GarciaLopez'),
    (4, 'Smith', 'Smith'),
    (5, 'Öztürk', 'Ozturk'),
    (6, 'Nguyễn', 'Nguyen'),
    (7, 'van der Berg', 'VanDerBerg'),
    (8, 'Kowalska-Nowak', 'Kowalska-Nowak'),
    (9, 'Dvořáková', 'Dvorakova'),
    (10, 'Johnson', 'Johnson'),
    (11, 'Bjørnstad', 'Bjornstad'),
    (12, 'D''Angelo', 'DAngelo'),
    (13, 'Weiß', 'Weiss'),
    (14, 'Brown', 'Brown'),
    (15, 'Çelik', 'Celik'),
    (16, 'Lefèvre', 'Lefevre'),
    (17, 'Ångström', 'Angstrom'),
    (18, 'Taylor', 'Taylor')
),

-- Where the ids of day 1 end, and how many people come a day.
shop AS (
    SELECT
        CAST({{ params.users }} AS bigint) AS first_day,
        CAST(floor({{ params.users }} / 100.0) AS bigint) AS new_a_day
),

ids AS (
    SELECT
        i,
        CAST(NULL AS text) AS bad
    FROM generate_series(
        1,
        CAST({{ params.users }} AS bigint)
        + ({{ params.day }} - 1) * CAST(floor({{ params.users }} / 100.0) AS bigint)
    ) AS g (i)
    UNION ALL
    SELECT
        2000000000 + n,
        kind
    FROM (
        VALUES
        (1, 'key_null'),
        (2, 'user_id_too_long'),
        (3, 'user_id_not_ascii'),
        (4, 'email_invalid'),
        (5, 'email_unknown_domain'),
        (6, 'email_of_another_user'),
        (7, 'score_infinite')
    ) AS b (n, kind)
    WHERE {{ params.day }} > 1
),

-- What the diary says of a person, added up.
lives AS (
    SELECT
        person,
        CAST(count(*) FILTER (WHERE kind = 'flap') AS integer) AS flaps,
        CAST(count(*) FILTER (WHERE kind = 'sms') AS integer) AS sms_flaps,
        CAST(count(*) FILTER (WHERE kind = 'move') AS integer) AS moves,
        CAST(count(*) FILTER (WHERE kind = 'plan') AS integer) AS plans,
        CAST(count(*) FILTER (WHERE kind = 'rename') AS integer) AS renames,
        CAST(count(*) FILTER (WHERE kind = 'taste') AS integer) AS tastes,
        CAST(count(*) FILTER (WHERE kind = 'email') AS integer) AS emails,
        CAST(count(*) FILTER (WHERE kind = 'gone') AS integer) AS gone,
        CAST(count(*) FILTER (WHERE kind = 'order') AS integer) AS orders,
        CAST(sum(500 + luck % 20000) FILTER (WHERE kind = 'order') AS bigint) AS cents,
        max(1767139200 + CAST(day AS bigint) * 86400 + luck % 86400)
            FILTER (WHERE kind = 'order') AS ordered_s,
        max(1767139200 + CAST(day AS bigint) * 86400) AS updated_s
    FROM shop_diary
    GROUP BY person
),

seeds AS (
    SELECT
        i,
        bad,
        i * 48271 % 1073741789 AS s
    FROM ids
),

-- Thirteen numbers below 2^30 a person, that look drawn.
dice AS (
    SELECT
        i,
        bad,
        (s + 101) * (s + 70001) % 1073741789 * (s + 300007) % 1073741789 AS of_first,
        (s + 103) * (s + 71011) % 1073741789 * (s + 310019) % 1073741789 AS of_last,
        (s + 107) * (s + 72019) % 1073741789 * (s + 320009) % 1073741789 AS of_place,
        (s + 109) * (s + 73009) % 1073741789 * (s + 330017) % 1073741789 AS of_email,
        (s + 113) * (s + 74017) % 1073741789 * (s + 340007) % 1073741789 AS of_domain,
        (s + 127) * (s + 75011) % 1073741789 * (s + 350003) % 1073741789 AS of_phone,
        (s + 131) * (s + 76001) % 1073741789 * (s + 360007) % 1073741789 AS of_signup,
        (s + 137) * (s + 77003) % 1073741789 * (s + 370003) % 1073741789 AS of_orders,
        (s + 139) * (s + 78007) % 1073741789 * (s + 380041) % 1073741789 AS of_cents,
        (s + 149) * (s + 79031) % 1073741789 * (s + 390001) % 1073741789 AS of_consent,
        (s + 151) * (s + 80021) % 1073741789 * (s + 400009) % 1073741789 AS of_taste,
        (s + 157) * (s + 81001) % 1073741789 * (s + 410009) % 1073741789 AS of_birth,
        (s + 163) * (s + 82003) % 1073741789 * (s + 420001) % 1073741789 AS of_house
    FROM seeds
),

people AS (
    SELECT
        d.*,
        coalesce(l.flaps, 0) AS flaps,
        coalesce(l.sms_flaps, 0) AS sms_flaps,
        coalesce(l.plans, 0) AS plans,
        coalesce(l.tastes, 0) AS tastes,
        coalesce(l.emails, 0) AS emails,
        l.ordered_s,
        l.updated_s,
        d.of_place % 12 AS home,
        (d.of_place + coalesce(l.moves, 0)) % 12 AS place,
        (d.of_last + coalesce(l.renames, 0)) % 19 AS last_now,
        CASE
            WHEN d.bad IS NOT NULL THEN 1767312000 + d.of_signup % 86400
            WHEN d.i > shop.first_day
                THEN
                    1767312000
                    + CAST(floor((d.i - shop.first_day - 1) * 1.0 / shop.new_a_day) AS bigint)
                    * 86400
                    + d.of_signup % 86400
            ELSE 1609459200 + d.of_signup % 157680000
        END AS signed_up_s,
        CASE
            WHEN d.i > shop.first_day OR d.of_orders % 100 < 20 THEN 0
            ELSE 1 + d.of_orders % 12
        END AS old_orders,
        coalesce(l.orders, 0) AS new_orders,
        coalesce(l.cents, 0) AS new_cents
    FROM dice AS d
    CROSS JOIN shop
    LEFT JOIN lives AS l ON l.person = d.i
    WHERE coalesce(l.gone, 0) = 0
),

totals AS (
    SELECT
        p.*,
        p.old_orders + p.new_orders AS orders,
        p.old_orders * (900 + p.of_cents % 15000) + p.new_cents AS cents
    FROM people AS p
)

SELECT
    CASE
        WHEN t.bad IS NULL
            THEN
                'u'
                || lpad(
                    CAST(t.i AS text),
                    CAST(greatest(7, length(CAST(t.i AS text))) AS integer),
                    '0'
                )
        WHEN t.bad = 'user_id_too_long' THEN 'bad_user_id_too_long_' || repeat('x', 40)
        WHEN t.bad = 'user_id_not_ascii' THEN 'bad_user_id_not_ascii_é'
        WHEN t.bad <> 'key_null' THEN 'bad_' || t.bad
    END AS user_id,
    CASE
        WHEN t.i = 2 THEN 'Taken.Twice2@example.com'
        WHEN t.bad = 'email_of_another_user' THEN 'taken.TWICE2@example.com'
        WHEN t.bad = 'email_invalid' THEN 'bad_email_invalid.example.com'
        WHEN t.bad = 'email_unknown_domain' THEN 'bad_email_unknown_domain@example.invalid'
        WHEN t.bad IS NOT NULL THEN 'bad_' || t.bad || '@example.com'
        ELSE
            CASE
                WHEN t.of_email % 10 = 0 THEN f.plain || '.' || b.plain
                ELSE lower(f.plain || '.' || b.plain)
            END
            || CAST(t.i AS text)
            || CASE WHEN t.of_email % 10 = 1 THEN '+shop' ELSE '' END
            || '@'
            || split_part(
                'example.com,example.org,Example.NET,mail.example.com,shop.example.org',
                ',',
                CAST((t.of_domain + t.emails) % 5 + 1 AS integer)
            )
    END AS email,
    f.name
    || CASE t.of_house % 50 WHEN 0 THEN ' 🌻' WHEN 1 THEN ' 👩‍🚀' ELSE '' END AS first_name,
    n.name AS last_name,
    CASE
        WHEN t.of_phone % 100 >= 15
            THEN
                home.phone_range
                || right(lpad(CAST(t.of_phone % 10007 AS text), 5, '0'), home.phone_digits)
    END AS phone,
    home.locale,
    place.time_zone,
    place.country,
    place.city,
    CAST(
        '{"street":"' || place.street || ' ' || CAST(t.of_house % 200 + 1 AS text)
        || '","postcode":"' || lpad(CAST((t.of_house + t.place) % 99991 AS text), 5, '0')
        || '","city":"' || place.city || '"}'
        AS json
    ) AS address,
    CASE
        WHEN t.of_birth % 10 >= 3 THEN DATE '1950-01-01' + CAST(t.of_birth % 20000 AS integer)
    END AS birth_date,
    to_timestamp(t.signed_up_s) AS signed_up_at,
    CASE
        WHEN t.orders > 0
            THEN
                to_timestamp(
                    coalesce(
                        t.ordered_s,
                        t.signed_up_s + t.of_house % (1767225600 - t.signed_up_s)
                    )
                )
    END AS last_order_at,
    CAST(t.orders AS integer) AS order_count,
    CAST(t.cents * 0.01 AS numeric(12, 2)) AS lifetime_value,
    -- The remainder first: `/` of integers is whole in PostgreSQL, and is not in DuckDB. The cast
    -- around CASE: PostgreSQL forgets the scale of a branch.
    CAST(
        CASE
            WHEN t.orders > 0
                THEN CAST((t.cents - t.cents % t.orders) / t.orders AS bigint) * 0.01
        END
        AS numeric(12, 2)
    ) AS average_order_value,
    CAST((t.cents - t.cents % 100) / 100 AS bigint) AS loyalty_points,
    t.cents >= 100000 AS is_vip,
    split_part('free,basic,pro', ',', CAST((t.of_taste + t.plans) % 3 + 1 AS integer)) AS plan,
    CASE
        WHEN t.bad = 'score_infinite' THEN CAST('Infinity' AS double precision)
        ELSE CAST((t.of_birth + t.tastes * 1377) % 10000 AS double precision) / 10000
    END AS score,
    (t.of_consent % 100 < 70) <> (t.flaps % 2 = 1) AS email_opt_in,
    (t.of_consent % 89 < 30) <> (t.sms_flaps % 2 = 1) AS sms_opt_in,
    (
        string_to_array(
            'garden,books,toys,music,sports,kitchen,pets,art,garden,books,toys', ','
        )
    )[
        CAST((t.of_taste + t.tastes) % 8 + 1 AS integer)
        :CAST((t.of_taste + t.tastes) % 8 + t.of_domain % 4 AS integer)
    ] AS favourite_categories,
    to_timestamp(coalesce(t.updated_s, t.signed_up_s)) AS updated_at
FROM totals AS t
INNER JOIN first_names AS f ON f.n = t.of_first % 23
INNER JOIN last_names AS b ON b.n = t.of_last % 19
INNER JOIN last_names AS n ON n.n = t.last_now
INNER JOIN places AS home ON home.place = t.home
INNER JOIN places AS place ON place.place = t.place
