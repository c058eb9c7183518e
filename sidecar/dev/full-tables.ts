import pg from 'pg';

/** An Orthanc id, 40 hexadecimal digits in five groups (Orthanc Book, "Orthanc identifiers"), that follows from a text. */
const orthancId = (text: string): string =>
  `regexp_replace(md5(${text}) || left(md5('2' || ${text}), 8), '(.{8})(.{8})(.{8})(.{8})(.{8})', '\\1-\\2-\\3-\\4-\\5')`;

// A study is number n, its patient (n + 1) / 2. Of fifty studies one came without an order.
const STATEMENTS = [
  `INSERT INTO patients (id, source, external_id, issuer, name, birth_date, sex, phone_number)
   OVERRIDING SYSTEM VALUE
   SELECT p, 'ris', 'H' || lpad(CAST(p AS text), 8, '0'), 'AXIS',
          (ARRAY['NGUYEN', 'SMITH', 'WILLIAMS', 'PAPADOPOULOS', 'CHEN', 'KELLY', 'ROSSI', 'SINGH'])[1 + p % 8]
            || '^' || (ARRAY['Anna', 'Liam', 'Mia', 'Noah', 'Zoe', 'Ali', 'Ruth', 'Tom'])[1 + p / 8 % 8],
          DATE '1930-01-01' + CAST(p * 7919 % 32850 AS integer), CASE p % 2 WHEN 0 THEN 'F' ELSE 'M' END,
          '+614' || lpad(CAST(p AS text), 8, '0')
   FROM generate_series(1, $1 / 2) p`,
  `INSERT INTO studies (id, patient_id, source, accession_number, accession_key, external_id, placer_order_number,
                        filler_order_number, modality, procedure_code, procedure_description, scheduled_at, study_date,
                        order_status)
   OVERRIDING SYSTEM VALUE
   SELECT n, (n + 1) / 2, 'ris', key, key, 'F' || key, 'P' || key, 'F' || key, 'CT', 'CTHEAD', 'CT HEAD', day, day, 'active'
   FROM generate_series(1, $1) n, LATERAL (SELECT 'H' || lpad(CAST(n AS text), 10, '0') AS key,
                                                  DATE '2024-11-25' + CAST(n * 729 / $1 AS integer) AS day) t`,
  `INSERT INTO patients (id, source, external_id, issuer, name, birth_date, sex)
   OVERRIDING SYSTEM VALUE
   SELECT $1 + n, 'dicom', 'X' || n, 'AXIS', 'UNKNOWN^' || n, DATE '1950-01-01' + CAST(n % 20000 AS integer), 'O'
   FROM generate_series(50, $1, 50) n`,
  `INSERT INTO studies (id, patient_id, source, study_instance_uid, modality, study_date)
   OVERRIDING SYSTEM VALUE
   SELECT $1 + n, $1 + n, 'dicom', '2.25.9' || lpad(CAST(n AS text), 30, '0'), 'CT', DATE '2026-01-01'
   FROM generate_series(50, $1, 50) n`,
  `INSERT INTO hl7_messages (id, received_at, remote_address, sending_application, sending_facility, message_type,
                             control_id, content_hash, raw, answer, acknowledgment)
   OVERRIDING SYSTEM VALUE
   SELECT n, now() - make_interval(mins => CAST(n AS integer)), '10.0.0.1', 'VOYAGER', 'AXIS',
          CASE n % 2 WHEN 0 THEN 'ORU^R01' ELSE 'ORM^O01' END, 'H' || n, md5('a' || n) || md5('b' || n),
          convert_to(repeat(md5(CAST(n AS text)), 15), 'UTF8'), 'AA', repeat(md5('ack' || n), 4)
   FROM generate_series(1, 2 * $1) n`,
  `INSERT INTO patient_facts (hl7_message_id, ordinal, patient_id, said_at, facts)
   SELECT 2 * n - 1, 0, (n + 1) / 2, now(), '{"name": "NGUYEN^Anna", "sex": "F"}' FROM generate_series(1, $1) n`,
  `INSERT INTO study_facts (hl7_message_id, ordinal, accession_key, patient_id, said_at, kind, order_status, facts)
   SELECT 2 * n - 1, 0, 'H' || lpad(CAST(n AS text), 10, '0'), (n + 1) / 2, now(), 'order', 'active',
          '{"modality": "CT", "procedureCode": "CTHEAD"}'
   FROM generate_series(1, $1) n`,
  `INSERT INTO patient_merges (hl7_message_id, ordinal, prior_id, survivor_id, said_at)
   SELECT 2 * n - 1, 0, (n + 1) / 2, (n + 3) / 2, now() FROM generate_series(101, $1 - 4, 100) n`,
  `INSERT INTO reports (study_id, version, status, body, hl7_message_id, said_at, patient_id)
   SELECT n, 1, 'final', repeat(md5(CAST(n AS text)), 10), 2 * n, now(), (n + 1) / 2 FROM generate_series(1, $1) n`,
  `INSERT INTO sms_messages (study_id, state, to_number, body, attempts, sent_at, twilio_sid, created_at, updated_at)
   SELECT n, 'sent', '+614' || lpad(CAST((n + 1) / 2 AS text), 8, '0'), 'Your CT results are ready!', 1, now(),
          'SM' || md5(CAST(n AS text)), now(), now()
   FROM generate_series(1, $1) n`,
  `INSERT INTO sms_opt_outs (source, number, opted_out, said_at)
   SELECT 'H' || p, '+614' || lpad(CAST(p AS text), 8, '0'), p % 10 = 0, now() FROM generate_series(1, $1 / 2) p`,
  `INSERT INTO dicom_studies (id, study_instance_uid, modalities, study_id, status, rule, reason, candidate_ids, decided_by,
                              decided_at)
   OVERRIDING SYSTEM VALUE
   SELECT n, '2.25.9' || lpad(CAST(n AS text), 30, '0'), '{CT}', CASE WHEN own THEN $1 + n ELSE n END,
          CASE WHEN own THEN 'provisional' ELSE 'linked' END, CASE WHEN own THEN 'no-order' ELSE 'accession' END,
          CASE WHEN own THEN 'nothing-matches' END, CASE WHEN own THEN '{}' ELSE ARRAY[n] END, 'rules', now()
   FROM (SELECT CAST(n AS bigint), n % 50 = 0 AS own FROM generate_series(1, $1) n) t`,
  `INSERT INTO dicom_study_links (dicom_study_id, study_id)
   SELECT id, study_id FROM dicom_studies WHERE id <= $1 ON CONFLICT DO NOTHING`,
  `INSERT INTO dicom_study_tags (orthanc_id, dicom_study_id, accession_number, accession_key, patient_id, issuer,
                                 patient_name, patient_birth_date, patient_sex, study_date, study_description, said)
   SELECT ${orthancId("'st' || s.id")}, s.id, key, key, coalesce(p.external_id, ''), 'AXIS', p.name, p.birth_date, p.sex,
          o.study_date, 'CT HEAD', true
   FROM dicom_studies s JOIN studies o ON o.id = s.study_id JOIN patients p ON p.id = o.patient_id,
        LATERAL (SELECT coalesce(o.accession_key, '') AS key) k
   WHERE s.id <= $1`,
  `INSERT INTO seen_tags (orthanc_id, said_key, accession_key, accession_number, dicom_study_id, patient_id, issuer,
                          patient_name, patient_birth_date, patient_sex, study_date, study_description)
   SELECT orthanc_id, md5(orthanc_id), accession_key, accession_number, dicom_study_id, patient_id, issuer, patient_name,
          patient_birth_date, patient_sex, study_date, study_description
   FROM dicom_study_tags WHERE dicom_study_id <= $1`,
  `INSERT INTO link_decisions (dicom_study_id, study_id, status, rule, reason, candidate_ids, tags, decided_by, decided_at)
   SELECT id, study_id, status, rule, reason, candidate_ids, '[{"patient_name": "NGUYEN^Anna"}]', 'rules', now()
   FROM dicom_studies WHERE id <= $1`,
  `INSERT INTO series (id, dicom_study_id, study_id, orthanc_id, orthanc_study_id, series_instance_uid, modality, description)
   OVERRIDING SYSTEM VALUE
   SELECT id, id, study_id, ${orthancId("'se' || id")}, ${orthancId("'st' || id")},
          '2.25.8' || lpad(CAST(id AS text), 30, '0'), 'CT', 'AXIAL'
   FROM dicom_studies WHERE id <= $1`,
  `INSERT INTO images (series_id, orthanc_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number,
                       number_of_frames, image_url, thumbnail_url, mirror_status, mirrored_at, file_uuid, said_key, resent_key)
   SELECT s, ${orthancId("'im' || s || '.' || i")}, '2.25.7' || lpad(CAST(s AS text), 26, '0') || lpad(CAST(i AS text), 4, '0'),
          '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1', i, 1, 'https://axis.blob.example/images/' || s || '/' || i,
          'https://axis.blob.example/thumbnails/' || s || '/' || i, 'mirrored', now(), md5(s || '.' || i),
          md5(${orthancId("'st' || s")}), ''
   FROM generate_series(1, $1) s, generate_series(1, $2) i`,
];

/** Whose ids it gives itself, from 1 on. */
export const IDENTITIES = ['patients', 'studies', 'hl7_messages', 'dicom_studies', 'series'];

/**
 * Fills the tables of a database with what a practice has after some years: for each of `studies` (an even number)
 * an order, a final report, a text, a linked DICOM study and its images, for every two a patient. What statistics the
 * database has of its tables stays as it is. As a superuser, since no row is checked against others.
 */
export async function fillTables(
  databaseUrl: string,
  { studies, imagesPerStudy }: { readonly studies: number; readonly imagesPerStudy: number },
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("SET session_replication_role = 'replica'");
    for (const sql of STATEMENTS) {
      const values = [studies, imagesPerStudy].map((value, at) => [`$${at + 1}`, String(value)] as const);
      await client.query(values.reduce((text, [name, value]) => text.replaceAll(name, value), sql));
    }
    for (const table of IDENTITIES) {
      await client.query(`SELECT setval(pg_get_serial_sequence('${table}', 'id'), (SELECT max(id) FROM ${table}))`);
    }
  } finally {
    await client.end();
  }
}

/** Brings a database to what autovacuum and use make of it: with statistics, and its indexes in Postgres's memory. */
export async function settleTables(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('VACUUM (ANALYZE)');
    await client.query('CREATE EXTENSION IF NOT EXISTS pg_prewarm');
    await client.query(
      "SELECT pg_prewarm(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'public' AND relkind = 'i'",
    );
  } finally {
    await client.end();
  }
}
