-- When a patient's row goes, the database looks whether a report names it: without this, at every report.
CREATE INDEX reports_patient ON reports (patient_id);

-- Nothing looks by it, and plans made while the tables were empty took it for a short way to all orders.
DROP INDEX studies_date;

-- Room on each page for what a row gains when it is mirrored; and new rows do not go one by one to old pages that have a
-- little room left, each of which is then written to the log whole.
ALTER TABLE images SET (fillfactor = 80);
