-- What customers have said to newsletter and text messages, as Iterable shall know it.
--
-- Grain:     one answer of one customer to one message type
-- Key:       user_id, subscription_group, group_id
-- Owner:     CRM
-- Freshness: as fresh as the table users, which the shop rewrites every night
--
-- Reads users: user_id, email, email_opt_in, sms_opt_in. No parameters.
--
-- A consent is never inferred: who has a phone number has not agreed to get messages on it, and a
-- NULL is no answer. 101 and 105 are ids of message types, which each project has of its own: see
-- Settings > Message types, or GET /api/messageTypes. A subscription_group is emailList,
-- messageType or messageChannel.
SELECT
    user_id,
    email,
    'messageType' AS subscription_group,
    101 AS group_id,
    email_opt_in AS subscribed
FROM users
UNION ALL
SELECT
    user_id,
    email,
    'messageType' AS subscription_group,
    105 AS group_id,
    sms_opt_in AS subscribed
FROM users
