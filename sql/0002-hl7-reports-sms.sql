-- Every frame that could be answered for good, with the answer: a message seen before gets that answer again.
CREATE TABLE hl7_messages (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at         timestamptz NOT NULL,
  remote_address      text NOT NULL,
  sending_application text NOT NULL,
  sending_facility    text NOT NULL,
  message_type        text NOT NULL,                   -- MSH-9: ORM^O01
  control_id          text NOT NULL,                   -- MSH-10
  content_hash        text NOT NULL,                   -- SHA-256 of the frame
  raw                 bytea NOT NULL,
  answer              text NOT NULL CHECK (answer IN ('AA', 'AR')),
  reason              text,
  acknowledgment      text NOT NULL,
  UNIQUE (sending_application, sending_facility, control_id, content_hash),
  CHECK (answer = 'AA' OR reason IS NOT NULL)
);
CREATE INDEX hl7_messages_received ON hl7_messages (received_at);
CREATE INDEX hl7_messages_rejected ON hl7_messages (received_at) WHERE answer = 'AR';

CREATE TABLE reports (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  study_id       bigint NOT NULL REFERENCES studies (id),
  version        integer NOT NULL,                     -- 1 is the first that came
  status         text NOT NULL CHECK (status IN ('preliminary', 'final', 'corrected', 'cancelled')),
  body           text NOT NULL,
  reported_at    timestamptz,
  hl7_message_id bigint NOT NULL REFERENCES hl7_messages (id),
  created_at     timestamptz NOT NULL DEFAULT now(),
  UNIQUE (study_id, version),
  UNIQUE (study_id, hl7_message_id)
);

CREATE TABLE report_attachments (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  report_id    bigint NOT NULL REFERENCES reports (id),
  ordinal      integer NOT NULL,
  content_type text NOT NULL,
  content      bytea NOT NULL,
  UNIQUE (report_id, ordinal)
);

CREATE TABLE sms_messages (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  study_id      bigint NOT NULL REFERENCES studies (id),
  kind          text NOT NULL DEFAULT 'final-report' CHECK (kind = 'final-report'),
  state         text NOT NULL CHECK (state IN ('held', 'queued', 'sending', 'sent', 'failed')),
  reason        text,                                  -- why it is held or failed
  to_number     text,
  body          text NOT NULL,
  attempts      integer NOT NULL DEFAULT 0,
  not_before    timestamptz,
  sending_since timestamptz,                           -- set, and committed, before Twilio is called
  sent_at       timestamptz,
  twilio_sid    text UNIQUE,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  UNIQUE (study_id, kind),                             -- never a second text for one study
  CHECK (state IN ('held', 'failed') OR to_number IS NOT NULL),
  CHECK (state NOT IN ('held', 'failed') OR reason IS NOT NULL),
  CHECK (state <> 'sending' OR sending_since IS NOT NULL)
);
CREATE INDEX sms_messages_open ON sms_messages (state, id) WHERE state NOT IN ('sent');

-- What was set aside and waits for a person.
CREATE TABLE failures (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  part       text NOT NULL,                            -- 'feed'
  subject    text NOT NULL,                            -- an id: Orthanc's, or a row's
  code       text NOT NULL,
  message    text NOT NULL,
  times      integer NOT NULL DEFAULT 1,
  first_at   timestamptz NOT NULL,
  last_at    timestamptz NOT NULL,
  UNIQUE (part, subject)
);
