-- Renderings of the image that began and have not come to a known end. Set, and committed, before each begins and taken
-- back by every end but one in which Orthanc went away or this process was killed: core/rendering.ts.
ALTER TABLE images
  ADD COLUMN render_begun smallint NOT NULL DEFAULT 0 CHECK (render_begun >= 0),
  -- The last time that a person had it tried again after it failed.
  ADD COLUMN retried_by   text,
  ADD COLUMN retry_reason text,
  ADD COLUMN retried_at   timestamptz,
  ADD CONSTRAINT images_retried_check
    CHECK ((retried_at IS NULL) = (retried_by IS NULL) AND (retried_at IS NULL) = (retry_reason IS NULL));
