-- Carts out of what people clicked, where the warehouse has events and no carts.
--
-- Grain:     one product in one person's cart; an empty cart is one row
-- Key:       user_id, once the lines are folded
-- Owner:     web
-- Freshness: that of the table product_events
--
-- Reads product_events: user_id, email, event_name, product_id, name, price, quantity, happened_at.
-- What is in a cart is what was put in (Product Added) less what was taken out (Product Removed;
-- without a quantity, all of it) since the last order (Order Completed) or emptying (Cart Cleared);
-- a product has the name and the price that it had when it was put in last.
WITH
events AS (
    SELECT
        e.*,
        max(CASE WHEN e.event_name IN ('Order Completed', 'Cart Cleared') THEN e.happened_at END)
            OVER (PARTITION BY e.user_id) AS emptied_at
    FROM product_events AS e
),

clicks AS (
    SELECT
        user_id,
        product_id,
        event_name,
        name,
        price,
        quantity,
        happened_at,
        max(CASE WHEN event_name = 'Product Removed' AND quantity IS NULL THEN happened_at END)
            OVER (PARTITION BY user_id, product_id) AS removed_at,
        row_number() OVER (
            PARTITION BY user_id, product_id
            ORDER BY CASE WHEN event_name = 'Product Added' THEN 0 ELSE 1 END, happened_at DESC
        ) AS newest
    FROM events
    WHERE
        event_name IN ('Product Added', 'Product Removed')
        AND (emptied_at IS NULL OR happened_at > emptied_at)
),

contents AS (
    SELECT
        user_id,
        product_id,
        max(CASE WHEN newest = 1 THEN name END) AS name,
        max(CASE WHEN newest = 1 THEN price END) AS price,
        sum(
            CASE WHEN event_name = 'Product Added' THEN coalesce(quantity, 1) ELSE -quantity END
        ) AS quantity
    FROM clicks
    WHERE removed_at IS NULL OR happened_at > removed_at
    GROUP BY user_id, product_id
),

people AS (
    SELECT
        user_id,
        max(email) AS email
    FROM product_events
    GROUP BY user_id
)

SELECT
    p.user_id,
    p.email,
    c.product_id AS items__product_id,
    c.name AS items__name,
    c.price AS items__price,
    c.quantity AS items__quantity
FROM people AS p
LEFT JOIN contents AS c ON c.user_id = p.user_id AND c.quantity > 0
