-- A report's body by its headings: [{"heading", "kind", "text"}]. All words of the body are in them, in its order. Null in
-- rows of a program that does not know them.
ALTER TABLE reports ADD COLUMN sections jsonb;
