-- A report can come without its study's accession number and still be its: by the numbers of its order. Then the fact has
-- the study's key in accession_key, where every program looks for it, and here the key of the number that was sent, by
-- which it goes back once the order's numbers no longer say whose it is. NULL: the number that was sent is the study's.
ALTER TABLE study_facts ADD COLUMN said_key text;
