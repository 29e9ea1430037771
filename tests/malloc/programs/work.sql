-- A schema, a hundred thousand rows, joins, text, an index made late, a rollback.
PRAGMA journal_mode = MEMORY;
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, born INTEGER);
CREATE TABLE payment (id INTEGER PRIMARY KEY, person INTEGER REFERENCES person, cents INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO person SELECT i, printf('name-%d-%s', i * 7919 % 5003, hex(i)), 1900 + i % 120 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO payment SELECT i, 1 + i * 31 % 5000, i * 17 % 99991, replace(printf('%.*c', i % 60, 'x'), 'x', char(97 + i % 26)) FROM n;
SELECT count(*), sum(cents), sum(length(note)) FROM payment;
SELECT born, count(*), sum(cents) FROM person JOIN payment ON payment.person = person.id GROUP BY born ORDER BY 3 DESC LIMIT 5;
CREATE INDEX payment_by_note ON payment (note, cents);
SELECT a.name, b.name FROM person a JOIN person b ON a.born = b.born AND a.id < b.id ORDER BY a.name, b.name LIMIT 3;
BEGIN;
DELETE FROM payment WHERE cents % 3 = 0;
SELECT count(*) FROM payment;
ROLLBACK;
SELECT count(*), length(group_concat(note)) FROM payment;
VACUUM;
PRAGMA integrity_check;
