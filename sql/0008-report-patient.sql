-- Whether a message's word on a patient came with a report: it does not overrule what orders and ADT messages say.
ALTER TABLE patient_facts ADD COLUMN of_report boolean NOT NULL DEFAULT false;
