-- Demo shop, 3 of 3: who has changed his e-mail, day by day.
--
-- Grain:     one change of one customer's e-mail
-- Key:       user_id, changed_at
-- Owner:     demo/shop.py, which fills the table email_changes with it
-- Freshness: the day asked for; earlier changes stay
--
-- Reads shop_diary and users. A change takes the next of five domains, so the e-mails of before
-- follow from that of today. No parameters.
WITH
domains (n, domain) AS (
    VALUES
    (0, 'example.com'),
    (1, 'example.org'),
    (2, 'Example.NET'),
    (3, 'mail.example.com'),
    (4, 'shop.example.org')
),

changes AS (
    SELECT
        person,
        day,
        luck,
        'u'
        || lpad(
            CAST(person AS text),
            CAST(greatest(7, length(CAST(person AS text))) AS integer),
            '0'
        ) AS user_id,
        row_number() OVER (PARTITION BY person ORDER BY day DESC) AS steps_back
    FROM shop_diary
    WHERE kind = 'email'
),

todays AS (
    SELECT
        c.user_id,
        c.day,
        c.luck,
        c.steps_back,
        split_part(u.email, '@', 1) AS local_part,
        d.n AS domain_now
    FROM changes AS c
    INNER JOIN users AS u ON u.user_id = c.user_id
    INNER JOIN domains AS d ON d.domain = split_part(u.email, '@', 2)
)

SELECT
    t.user_id,
    t.local_part || '@' || before.domain AS old_email,
    t.local_part || '@' || after.domain AS new_email,
    to_timestamp(1767139200 + CAST(t.day AS bigint) * 86400 + t.luck % 86400) AS changed_at
FROM todays AS t
-- 100 is a multiple of 5: the remainder of a negative number is negative.
INNER JOIN domains AS after ON after.n = (t.domain_now + 100 - (t.steps_back - 1) % 100) % 5
INNER JOIN domains AS before ON before.n = (t.domain_now + 100 - t.steps_back % 100) % 5
