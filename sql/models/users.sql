-- Customers, as Iterable shall know them.
--
-- Grain:     one customer
-- Key:       user_id
-- Owner:     CRM
-- Freshness: as fresh as the table users, which the shop rewrites every night
--
-- Reads users: user_id, email, first_name, last_name, phone, locale, time_zone, country, city,
-- address (JSON: street, postcode, city), birth_date, signed_up_at, loyalty_points, is_vip, plan,
-- score, email_opt_in, sms_opt_in, favourite_categories. No parameters.
--
-- The aliases are the names of the fields in Iterable; a dot puts a field into an object. A consent
-- is what the person has said, and never read off a phone number. What is worked out of orders is
-- in computed_traits.sql: a field has one owner.
SELECT
    user_id,
    email,
    first_name AS "firstName",
    last_name AS "lastName",
    phone AS "phoneNumber",
    locale,
    time_zone AS "timeZone",
    country,
    city,
    address ->> 'street' AS "address.street",
    address ->> 'postcode' AS "address.postcode",
    address ->> 'city' AS "address.city",
    birth_date AS "birthDate",
    signed_up_at AS "signedUpAt",
    loyalty_points AS "loyaltyPoints",
    is_vip AS "isVip",
    plan,
    score,
    email_opt_in AS "emailOptIn",
    sms_opt_in AS "smsOptIn",
    favourite_categories AS "favouriteCategories"
FROM users
