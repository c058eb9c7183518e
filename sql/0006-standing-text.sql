-- A report that makes the text of the one before it final without sending it again.
ALTER TABLE reports ADD COLUMN text_stands boolean NOT NULL DEFAULT false;
