-- A table of orders with two indices, filled, changed, joined and searched.
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer TEXT, amount INTEGER, note TEXT);
CREATE TABLE customers(name TEXT PRIMARY KEY, town TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
INSERT INTO orders SELECT i, 'customer ' || (i * 7919 % 5003), i * 31 % 977, printf('%.*c', i % 60, 'x') FROM n;
INSERT INTO customers SELECT DISTINCT customer, 'town ' || (amount % 50) FROM orders GROUP BY customer;
CREATE INDEX by_customer ON orders(customer);
CREATE INDEX by_amount ON orders(amount, customer);
UPDATE orders SET note = note || customer WHERE amount % 7 = 0;
DELETE FROM orders WHERE amount % 11 = 0;
SELECT 'checksum=' || sum(k) FROM (
  SELECT town, count(*) * sum(amount) AS k FROM orders JOIN customers ON customer = name GROUP BY town ORDER BY town);
SELECT sum(length(t)) FROM (SELECT group_concat(note) AS t FROM orders GROUP BY customer ORDER BY customer);
