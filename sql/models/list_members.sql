-- Members of the list of very good customers, as Iterable shall know them.
--
-- Grain:     one customer
-- Key:       user_id
-- Owner:     CRM
-- Freshness: as fresh as the table users, which the shop rewrites every night
--
-- Reads users: user_id, email, is_vip. No parameters.
--
-- Who is not in here any more is taken out of the list. A member has no fields of its own here: the
-- model users.sql has those of the person.
SELECT
    user_id,
    email
FROM users
WHERE is_vip
