-- Another sender whose order of this accession number names another patient than the first sender's: listed, and the first
-- left alone.
ALTER TABLE studies ADD COLUMN clash text;
CREATE INDEX studies_clash ON studies (updated_at) WHERE clash IS NOT NULL;
