-- Carts that people have left, for text messages: the first stage of abandoned_carts.sql.
--
-- Grain:     one cart, each time that it was changed
-- Key:       cart_id, cart_updated_at
-- Owner:     web
-- Freshness: that of abandoned_carts.sql
--
-- Reads what abandoned_carts.sql reads, with the same parameters, and users: phone. Who has not
-- agreed to text messages, or has no phone number, is in here: the option sms_consent of the sync
-- refuses and counts them, and without it they would get the event.
WITH
left_carts AS (
{% include "models/abandoned_carts.sql" %}
)

SELECT
    c.cart_id,
    c.cart_updated_at,
    c.user_id,
    c.email,
    u.phone AS phone_number,
    c.sms_opt_in,
    'Return Cart SMS' AS event_name,
    c.created_at,
    c.return_url,
    c.first_name,
    c.total,
    c.items
FROM left_carts AS c
LEFT JOIN users AS u ON u.user_id = c.user_id
WHERE c.event_name = 'Return Cart'
