-- Messages of types that nobody asked for (HL7_IGNORED_TYPES): acknowledged, kept, counted by type and sender.
ALTER TABLE hl7_messages ADD COLUMN ignored boolean NOT NULL DEFAULT false;
CREATE INDEX hl7_messages_ignored ON hl7_messages (message_type, sending_application, sending_facility) WHERE ignored;
