-- When a patient's row goes, the database looks whether a report names it: without this, at every report.
CREATE INDEX reports_patient ON reports (patient_id);

-- Nothing looks by it, and plans made while the tables were empty took it for a short way to all orders.
DROP INDEX studies_date;

-- Room on each page for what a row gains when it is mirrored; and new rows do not go one by one to old pages that have a
-- little room left, each of which is then written to the log whole.
ALTER TABLE images SET (fillfactor = 80);

-- That a column is there, as each look-up by it implies, keeps other look-ups from taking these indexes for a short way to
-- all patients of the RIS while there are few.
DROP INDEX patients_ris_identity;
CREATE UNIQUE INDEX patients_ris_identity ON patients (upper(external_id), upper(coalesce(issuer, '')))
  WHERE source = 'ris' AND external_id IS NOT NULL;
DROP INDEX patients_birth_date;
CREATE INDEX patients_birth_date ON patients (birth_date) WHERE source = 'ris' AND birth_date IS NOT NULL;
DROP INDEX studies_dicom_own;
CREATE UNIQUE INDEX studies_dicom_own ON studies (study_instance_uid)
  WHERE source = 'dicom' AND study_instance_uid IS NOT NULL;
