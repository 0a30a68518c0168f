-- Customers, as Iterable shall know them.
--
-- Grain:     one customer
-- Key:       user_id
-- Owner:     CRM
-- Freshness: as fresh as the table users, which the shop rewrites every night
--
-- The aliases are the names of the fields in Iterable; a dot puts a field into an object.
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
    last_order_at AS "lastOrderAt",
    order_count AS "orderCount",
    lifetime_value AS "lifetimeValue",
    average_order_value AS "averageOrderValue",
    loyalty_points AS "loyaltyPoints",
    is_vip AS "isVip",
    plan,
    score,
    email_opt_in AS "emailOptIn",
    sms_opt_in AS "smsOptIn",
    favourite_categories AS "favouriteCategories"
FROM users
