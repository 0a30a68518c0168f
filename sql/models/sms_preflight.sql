-- Who can be texted, as far as the warehouse says: what an SMS campaign is checked against.
--
-- Grain:     one customer
-- Key:       none: rows are counted, and none of them is kept or sent
-- Owner:     CRM
-- Freshness: as fresh as the table users, which the shop rewrites every night
--
-- Reads users: phone, country, sms_opt_in. phone is one text in any notation; sms_opt_in is true for
-- a yes, and all else is none. Leave country out where nobody asks for the counts by country.
SELECT
    phone,
    country,
    sms_opt_in
FROM users
