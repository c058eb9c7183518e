-- What a patient may see is decided from facts: these are the ones that were not kept yet.

-- Whether the patient has died, as far as the RIS says (PID-30, PID-29); null: nobody spoke of it.
ALTER TABLE patients ADD COLUMN deceased boolean;

-- Neither OBR-22 nor MSH-7 of its message could be read: how old it was when it came is not known.
ALTER TABLE reports ADD COLUMN undated boolean NOT NULL DEFAULT false;

-- What a person keeps from a patient until a person lets go of it: one study, or all of one patient.
CREATE TABLE release_holds (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  study_id   bigint REFERENCES studies (id) ON DELETE CASCADE,
  patient_id bigint REFERENCES patients (id) ON DELETE CASCADE,
  held_by    text NOT NULL,
  reason     text NOT NULL,
  held_at    timestamptz NOT NULL,
  CHECK (num_nonnulls(study_id, patient_id) = 1)
);
CREATE UNIQUE INDEX release_holds_study ON release_holds (study_id) WHERE study_id IS NOT NULL;
CREATE UNIQUE INDEX release_holds_patient ON release_holds (patient_id) WHERE patient_id IS NOT NULL;
