-- Carts with what is in them, as Iterable shall know them: one for each person.
--
-- Grain:     one product in one person's cart; an empty cart is one row
-- Key:       user_id, once the lines are folded
-- Owner:     web
-- Freshness: as fresh as the table carts, which the shop writes at every click
--
-- Reads carts: user_id, email; cart_items: user_id, product_id, name, price, quantity, url, image
-- (a URL without size). Parameters: image_size (600), in pixels.
--
-- A person who is not here any more has an empty cart. A cart is its lines and nothing else: other
-- columns would have to be fields of the person, below user.
SELECT
    c.user_id,
    c.email,
    i.product_id AS items__product_id,
    i.name AS items__name,
    i.price AS items__price,
    i.quantity AS items__quantity,
    i.url AS items__url,
    i.image || '?w={{ params.image_size | default(600) }}' AS items__image_url
FROM carts AS c
LEFT JOIN cart_items AS i ON i.user_id = c.user_id
