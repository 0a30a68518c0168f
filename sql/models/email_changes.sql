-- Changes of e-mail addresses, which Iterable is to follow.
--
-- Grain:     one change of one customer's e-mail
-- Key:       user_id, changed_at
-- Owner:     customer accounts
-- Freshness: a change is in the table email_changes some minutes after it was made, and stays
--
-- The key is no address, as it stays in the state when the person is long gone. The user_id keeps
-- Iterable's profile of somebody else who has had the address at another time from being moved.
SELECT
    user_id,
    old_email,
    new_email,
    changed_at
FROM email_changes
