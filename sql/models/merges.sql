-- Profiles that are to be merged, as customer service found out that two are one person.
--
-- Grain:     one request to merge one profile into another
-- Key:       merge_id
-- Owner:     customer service
-- Freshness: a request is in the table merge_requests some minutes after it was made, and stays
--
-- The source is deleted, and the values of the destination win. In a project by userId the columns
-- are source_user_id and destination_user_id.
SELECT
    merge_id,
    source_email,
    destination_email,
    requested_at
FROM merge_requests
