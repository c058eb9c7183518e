import type { Knex } from 'knex';
import { z } from 'zod';
import { accessionKey } from '../rules/accession.ts';
import type { Envelope } from '../rules/kept-message.ts';
import type { MessageFacts, PatientIdentity } from '../rules/facts.ts';
import type { KnownFacts, SaidBefore } from '../rules/fold.ts';
import { senderOf } from './message-rows.ts';
import { STUDY_COLUMNS_JSON } from './study-columns.ts';
import { query } from '../../platform/postgres/query.ts';

// Some frames and all that they bear on, in one round trip, a row a thing; each an index look-up, for which OFFSET 0 keeps the
// planner from beginning at the other end. Related are all identifiers that those named may stand
// for or be told of: the same one of any authority, and those merged with it. What has no row yet gets its id here, which
// is lost where nothing is written.
// Served by indexes hl7_messages_sending_application_sending_facility_control_i_key, patients_ris_identity,
// patients_pkey, patient_merges_prior, patient_merges_survivor, patient_facts_patient, study_facts_patient,
// study_facts_accession, studies_accession_key_key, reports_study_id_version_key.
export const LOOK_UP = `
WITH RECURSIVE named AS MATERIALIZED (
  SELECT position, upper(external_id) AS number, upper(issuer) AS authority
  FROM unnest(CAST(:externalIds AS text[]), CAST(:issuers AS text[]))
    WITH ORDINALITY AS r(external_id, issuer, position)
), related (id) AS (
  (SELECT p.id FROM named n CROSS JOIN LATERAL (
     SELECT id FROM patients WHERE source = 'ris' AND upper(external_id) = n.number OFFSET 0) p
   UNION SELECT unnest(CAST(:patientIds AS bigint[])))
  UNION
  SELECT n.id FROM related CROSS JOIN LATERAL (
    (SELECT id FROM patients
     WHERE source = 'ris' AND upper(external_id) = (SELECT upper(p.external_id) FROM patients p WHERE p.id = related.id)
     OFFSET 0)
    UNION ALL SELECT survivor_id FROM patient_merges WHERE prior_id = related.id
    UNION ALL SELECT prior_id FROM patient_merges WHERE survivor_id = related.id
  ) n
), keys (key) AS MATERIALIZED (
  SELECT unnest(CAST(:keys AS text[]))
  UNION
  SELECT accession_key FROM study_facts WHERE patient_id = ANY (ARRAY(SELECT id FROM related))
  UNION
  SELECT said_key FROM study_facts WHERE patient_id = ANY (ARRAY(SELECT id FROM related)) AND said_key IS NOT NULL
)
SELECT json_build_object('kind', 'message', 'position', position, 'acknowledgment', acknowledgment,
                         'id', CASE WHEN acknowledgment IS NULL THEN CAST(nextval('hl7_messages_id_seq') AS text) END) AS thing
FROM (
  SELECT r.position, m.acknowledgment
  FROM unnest(CAST(:applications AS text[]), CAST(:facilities AS text[]), CAST(:controlIds AS text[]),
              CAST(:hashes AS text[])) WITH ORDINALITY AS r(application, facility, control_id, hash, position)
  LEFT JOIN LATERAL (
    SELECT acknowledgment FROM hl7_messages
    WHERE sending_application = r.application AND sending_facility = r.facility AND control_id = r.control_id
      AND content_hash = r.hash OFFSET 0
  ) m ON true
  ORDER BY r.position OFFSET 0
) AS frames
UNION ALL
SELECT json_build_object('kind', 'named', 'position', n.position, 'identity', ARRAY[n.number, n.authority],
                         'id', CAST(coalesce(p.id, nextval('patients_id_seq')) AS text))
FROM named n LEFT JOIN LATERAL (
  SELECT id FROM patients
  WHERE source = 'ris' AND upper(external_id) = n.number AND upper(coalesce(issuer, '')) = n.authority OFFSET 0
) p ON true
UNION ALL
SELECT json_build_object('kind', 'patient', 'id', CAST(p.id AS text), 'externalId', p.external_id,
                         'issuer', coalesce(p.issuer, ''), 'name', p.name, 'birthDate', p.birth_date, 'sex', p.sex,
                         'phoneNumber', p.phone_number, 'phoneProblem', p.phone_problem,
                         'reportedPhone', p.reported_number, 'deceased', p.deceased,
                         'mergedInto', CAST(p.merged_into AS text))
FROM patients p WHERE p.id = ANY (ARRAY(SELECT id FROM related))
UNION ALL
SELECT json_build_object('kind', 'merge', 'messageId', CAST(hl7_message_id AS text), 'ordinal', ordinal,
                         'saidAt', said_at, 'priorId', CAST(prior_id AS text),
                         'survivorId', CAST(coalesce(apart_from_id, survivor_id) AS text),
                         'how', CASE WHEN withdrawn_at IS NOT NULL THEN 'parted' WHEN apart_from_id IS NOT NULL THEN 'apart'
                                     WHEN of_identifiers THEN 'same' ELSE 'merge' END)
FROM patient_merges WHERE prior_id = ANY (ARRAY(SELECT id FROM related))
UNION ALL
SELECT json_build_object('kind', 'patient-fact', 'messageId', CAST(hl7_message_id AS text), 'ordinal', ordinal,
                         'saidAt', said_at, 'identityId', CAST(patient_id AS text), 'ofReport', of_report, 'facts', facts)
FROM patient_facts WHERE patient_id = ANY (ARRAY(SELECT id FROM related))
UNION ALL
SELECT json_build_object('kind', 'study', 'key', k.key,
                         'id', CAST(coalesce(s.id, nextval('studies_id_seq')) AS text),
                         'hasReports', (SELECT r.id FROM reports r WHERE r.study_id = s.id LIMIT 1) IS NOT NULL,
                         'row', CASE WHEN s.id IS NOT NULL THEN ${STUDY_COLUMNS_JSON} END)
FROM keys k LEFT JOIN LATERAL (SELECT * FROM studies WHERE accession_key = k.key OFFSET 0) s ON true
UNION ALL
SELECT json_build_object('kind', 'study-fact', 'messageId', CAST(f.hl7_message_id AS text), 'ordinal', f.ordinal,
                         'saidAt', f.said_at, 'key', f.accession_key, 'of', f.kind, 'status', f.order_status,
                         'patientId', CAST(f.patient_id AS text), 'standsFor', CAST(p.stands_for AS text),
                         'facts', f.facts)
FROM study_facts f CROSS JOIN LATERAL (
  SELECT coalesce(merged_into, id) AS stands_for FROM patients WHERE id = f.patient_id OFFSET 0
) p
WHERE f.accession_key = ANY (ARRAY(SELECT key FROM keys)) AND f.withdrawn_at IS NULL`;

const nullable = z.string().nullable();
const unsaid = nullable.optional();
const time = z.string().transform((text) => new Date(text));
const told = { messageId: z.string(), ordinal: z.number(), saidAt: time };
const status = z.enum(['active', 'held', 'cancelled', 'completed']);

const MESSAGE = z.object({
  kind: z.literal('message'),
  position: z.number(),
  acknowledgment: nullable,
  id: nullable,
});
const NAMED = z.object({
  kind: z.literal('named'),
  position: z.number(),
  identity: z.tuple([z.string(), z.string()]),
  id: z.string(),
});
const PATIENT = z.object({
  kind: z.literal('patient'),
  id: z.string(),
  externalId: z.string(),
  issuer: z.string(),
  name: nullable,
  birthDate: nullable,
  sex: nullable,
  phoneNumber: nullable,
  phoneProblem: nullable,
  deceased: z.boolean().nullable(),
  reportedPhone: nullable.transform((number) => number ?? undefined),
  mergedInto: nullable,
});
const MERGE = z.object({
  kind: z.literal('merge'),
  ...told,
  priorId: z.string(),
  survivorId: z.string(),
  how: z.enum(['merge', 'same', 'apart', 'parted']),
});
const MOBILES = z.object({
  number: nullable,
  rank: z.number(),
  problem: nullable,
  barred: z.array(z.string()),
});
const PATIENT_FACT = z.object({
  kind: z.literal('patient-fact'),
  ...told,
  identityId: z.string(),
  ofReport: z.boolean(),
  facts: z.object({
    ...{ name: unsaid, birthDate: unsaid, sex: unsaid, phoneNumber: unsaid, phoneProblem: unsaid },
    phones: z.object({ 13: MOBILES, 14: MOBILES, 40: MOBILES }).partial().optional(),
    rulesPhones: z.boolean().optional(),
    deceased: z.boolean().optional(),
  }),
});
const STUDY = z.object({
  kind: z.literal('study'),
  key: z.string(),
  id: z.string(),
  hasReports: z.boolean(),
  row: z
    .object({
      accessionNumber: z.string(),
      patientId: z.string(),
      orderStatus: z.enum([...status.options, 'none']),
      externalId: nullable,
      placerOrderNumber: nullable,
      fillerOrderNumber: nullable,
      studyInstanceUid: nullable,
      modality: nullable,
      procedureCode: nullable,
      procedureDescription: nullable,
      scheduledAt: z
        .string()
        .transform((text) => new Date(text).toISOString())
        .nullable(),
      studyDate: nullable,
      clash: nullable,
    })
    .nullable(),
});
const STUDY_FACT = z.object({
  kind: z.literal('study-fact'),
  ...told,
  key: z.string(),
  of: z.enum(['order', 'report']),
  status: status.nullable(),
  patientId: z.string(),
  standsFor: z.string(),
  facts: z.object({
    accessionNumber: z.string(),
    placerOrderNumber: unsaid,
    fillerOrderNumber: unsaid,
    studyInstanceUid: unsaid,
    modality: unsaid,
    procedureCode: unsaid,
    procedureDescription: unsaid,
    elsewhere: z.array(z.string()).default([]),
    by: z.object({ sender: z.string(), patient: z.string() }).optional(),
    scheduled: z.object({ instant: z.string(), localDate: z.string() }).nullable().optional(),
  }),
});
const THING = z.object({
  thing: z.discriminatedUnion('kind', [MESSAGE, NAMED, PATIENT, MERGE, PATIENT_FACT, STUDY, STUDY_FACT]),
});

/** Identifiers that are one and have no row yet were given an id each: the first of them counts. */
function idsOf(
  identities: readonly PatientIdentity[],
  named: readonly z.output<typeof NAMED>[],
): ReadonlyMap<PatientIdentity, string> {
  const idOf = new Map<string, string>();
  for (const { identity, id } of named) {
    const name = JSON.stringify(identity);
    idOf.set(name, idOf.get(name) ?? id);
  }
  const ids = new Map<PatientIdentity, string>();
  for (const { position, identity } of named) {
    const asked = identities[position - 1];
    const id = idOf.get(JSON.stringify(identity));
    if (asked !== undefined && id !== undefined) ids.set(asked, id);
  }
  return ids;
}

/** What a frame got when it came before, else the id to keep it under: later frames get greater ones. */
export type LookedUp =
  { readonly id: string; readonly acknowledgment: null } | { readonly id: null; readonly acknowledgment: string };

function lookedUp({ id, acknowledgment }: z.output<typeof MESSAGE>): LookedUp {
  if (acknowledgment !== null) return { id: null, acknowledgment };
  if (id === null) throw new RangeError('a frame got neither an answer nor an id');
  return { id, acknowledgment };
}

/**
 * Looks up these frames, no two of them the same, by position, and all that is known which these messages bear on. Under
 * the lock of linking.
 */
export async function lookUp(
  trx: Knex.Transaction,
  envelopes: readonly Envelope[],
  messages: readonly MessageFacts[],
  before: SaidBefore,
): Promise<{ readonly frames: readonly LookedUp[]; readonly known: KnownFacts }> {
  const senders = envelopes.map(senderOf);
  const identities = messages.flatMap(({ patients }) => patients);
  const numbers = messages.flatMap(({ orders, reports }) =>
    [...orders.map(({ study }) => study), ...reports.map(({ report }) => report.study)].map((study) =>
      accessionKey(study.accessionNumber),
    ),
  );
  const bindings = {
    applications: senders.map(({ application }) => application),
    facilities: senders.map(({ facility }) => facility),
    controlIds: senders.map(({ control_id }) => control_id),
    hashes: senders.map(({ hash }) => hash),
    externalIds: identities.map(({ externalId }) => externalId),
    issuers: identities.map(({ issuer }) => issuer),
    patientIds: before.patientIds,
    keys: [...new Set([...numbers, ...before.keys])],
  };
  const things = (await query(trx, LOOK_UP, bindings, THING)).map(({ thing }) => thing);
  const named = things.filter((thing) => thing.kind === 'named').sort((a, b) => a.position - b.position);
  const frames = things.filter((thing) => thing.kind === 'message').sort((a, b) => a.position - b.position);
  const known = {
    ids: idsOf(identities, named),
    patients: things
      .filter((thing) => thing.kind === 'patient')
      .map(({ kind: _, deceased, ...row }) => ({ ...row, ...(deceased !== null && { deceased }) })),
    merges: things.filter((thing) => thing.kind === 'merge').map(({ how, ...merge }) => ({ ...merge, kind: how })),
    patientFacts: things.filter((thing) => thing.kind === 'patient-fact'),
    studies: things.filter((thing) => thing.kind === 'study'),
    studyFacts: things.filter((thing) => thing.kind === 'study-fact').map(({ of, ...fact }) => ({ ...fact, kind: of })),
  };
  return { frames: frames.map(lookedUp), known };
}
