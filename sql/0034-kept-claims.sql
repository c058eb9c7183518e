-- The studies of the RIS that a DICOM study claimed in review, or was taken away from, when its images were deleted, modified
-- or sent again: whose images their reports are of is then not known, until each has images or a person says so.
ALTER TABLE dicom_studies ADD COLUMN kept_claims bigint[] NOT NULL DEFAULT '{}';
CREATE INDEX dicom_studies_kept_claims ON dicom_studies USING gin (kept_claims) WHERE kept_claims <> '{}';
