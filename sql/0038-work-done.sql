-- What a person has seen to: it is listed no more until something new of its kind comes to that subject.
CREATE TABLE work_done (
  kind     text NOT NULL,
  subject  text NOT NULL,              -- as it is listed
  done_at  timestamptz NOT NULL,
  done_by  text NOT NULL,
  done_why text NOT NULL,
  PRIMARY KEY (kind, subject)
);
