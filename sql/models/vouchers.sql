-- Voucher codes that are somebody's already, for messages that name them.
--
-- Grain:     one customer who has a code
-- Key:       user_id
-- Owner:     CRM
-- Freshness: as fresh as the table voucher_assignments
--
-- Reads voucher_assignments: user_id, email, campaign, alias, code, kind (voucher or referral),
-- marketing_text, assigned_at, valid_until. An alias has letters, digits and underscores.
-- Parameters: voucher_aliases (['welcome_codes', 'referral']), which aliases become fields.
--
-- Each alias is an object in the object vouchers, whose code a template finds as
-- vouchers.welcome_codes.code. It is a column of JSON, as Iterable replaces what lies that deep as
-- a whole. Of several codes of an alias it is the one that was assigned last. Who has none of an
-- alias any more loses that object; who has none at all leaves the model, so on_remove is clear.
-- That a code is valid no longer is said by valid_until alone.
{%- set aliases = params.voucher_aliases | default(['welcome_codes', 'referral']) %}
WITH
codes AS (
    SELECT
        v.user_id,
        v.email,
        v.alias,
        CAST(to_json(voucher) AS text) AS voucher,
        row_number() OVER (
            PARTITION BY v.user_id, v.alias
            ORDER BY v.assigned_at DESC, v.code DESC
        ) AS age
    FROM voucher_assignments AS v
    CROSS JOIN LATERAL (
        SELECT
            v.code,
            v.kind,
            v.campaign,
            v.marketing_text,
            -- As Iterable writes times; to_json does it differently in each engine.
            substr(CAST(v.valid_until AT TIME ZONE 'UTC' AS text), 1, 19)
            || ' +00:00' AS valid_until
    ) AS voucher
)

SELECT
    user_id,
    max(email) AS email
    {%- for alias in aliases %},
    CAST(max(CASE WHEN alias = '{{ alias }}' THEN voucher END) AS json)
        AS "vouchers.{{ alias }}"
    {%- endfor %}
FROM codes
WHERE age = 1
GROUP BY user_id
