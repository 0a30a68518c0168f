-- Products as items of a catalog in Iterable.
--
-- Grain:     one product
-- Key:       product_id
-- Owner:     web
-- Freshness: as fresh as the table products, which the shop writes every night
--
-- Reads products: product_id, name, category, price, sale_price, is_in_stock, width_cm, height_cm,
-- image (a URL without size), listed_at. No parameters.
--
-- The key is the item's id and no field; templates that want it as a field get the column sku. The
-- columns below size are one object. Of the image there is one column for each size: the option
-- image_size says which of them becomes the field image_url, and without it all of them are fields.
SELECT
    product_id,
    product_id AS sku,
    name,
    category,
    price,
    sale_price,
    is_in_stock,
    width_cm AS size__width,
    height_cm AS size__height,
    image || '?w=120' AS image_url_small,
    image || '?w=1200' AS image_url_large,
    listed_at
FROM products
