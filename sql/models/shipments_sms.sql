-- Shipments that went off, for text messages: the first event of shipments.sql.
--
-- Grain:     one shipment
-- Key:       shipment_id
-- Owner:     logistics
-- Freshness: that of shipments.sql
--
-- Reads what shipments.sql reads, with the same parameters, and users: user_id, phone, sms_opt_in.
-- Who has not agreed to text messages, or has no phone number, is in here: the option sms_consent
-- of the sync refuses and counts them, and without it they would get the event.
WITH
shipped AS (
{% include "models/shipments.sql" %}
)

SELECT
    s.shipment_id,
    s.user_id,
    s.email,
    u.phone AS phone_number,
    u.sms_opt_in,
    'Order Shipped SMS' AS event_name,
    s.created_at,
    s.order_id,
    s.carrier,
    s.tracking_numbers,
    s.is_subscription,
    s.is_rebill,
    s.items
FROM shipped AS s
LEFT JOIN users AS u ON u.user_id = s.user_id
WHERE s.event_name = 'Order Shipped'
