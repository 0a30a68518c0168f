-- Requests of customers to be deleted, to be forgotten, or to be taken back.
--
-- Grain:     one request of one customer
-- Key:       request_id
-- Owner:     data protection
-- Freshness: a request is in the table gdpr_requests some minutes after it was made, and stays
--
-- action is delete, forget or unforget. The key is no address: it is kept when the person is
-- forgotten.
SELECT
    request_id,
    user_id,
    email,
    action,
    requested_at
FROM gdpr_requests
