import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { z } from 'zod';
import { readCursor } from '../../images/io/feed-rows.ts';
import { cleanTag, type DicomBatch } from '../../images/rules/dicom.ts';
import { saidAccessions } from '../../images/rules/said.ts';
import { removeDeleted } from '../../images/flows/remove-deleted.ts';
import { query } from '../../platform/postgres/query.ts';
import { readFrame } from '../../hl7/io/listener.ts';
import { adt, merge, orm, oru, type RisPatient } from '../../dev/ris-messages.ts';
import { followChanges, type Feed } from '../../images/flows/follow.ts';
import type { Operations } from '../../app/operations.ts';

const PATIENT = z.strictObject({
  id: z.string(),
  issuer: z.string().optional(),
  identifiers: z.string().optional(),
  name: z.string(),
  birthDate: z.string().optional(),
  sex: z.string().optional(),
  phone: z.string().optional(),
});

const ORDER = z.strictObject({
  patient: z.string(),
  accession: z.string(),
  modality: z.string().default('CT'),
  scheduled: z.string().default('202607140900'),
  control: z.string().optional(),
  studyInstanceUid: z.string().optional(),
});
const REPORT = z.strictObject({
  patient: z.string(),
  accession: z.string(),
  modality: z.string().default('CT'),
  status: z.string().default('F'),
});
const IMAGES = z.strictObject({
  study: z.string(),
  series: z.string().default('1'),
  first: z.number().default(1),
  count: z.number().default(1),
  modality: z.string().default('CT'),
  patient: z.string().optional(),
  /** The AE title of the program that sends them. */
  from: z.string().optional(),
  /** Only what Orthanc keeps of the study is known, not what each image says. */
  unsaid: z.boolean().default(false),
  /** Over what the patient gives. */
  tags: z.record(z.string(), z.string()).default({}),
  /** Accession numbers of its Request Attributes Sequence. */
  requested: z.array(z.string()).default([]),
});

/** What a person decides of a DICOM study, named by its Study Instance UID. */
const ACT = z.strictObject({
  study: z.string(),
  kind: z.enum(['link', 'unlink', 'confirm', 'release']),
  accession: z.string().optional(),
  despitePatient: z.boolean().optional(),
});

/** One thing that happens; which one it is, its only key says. */
const EVENT = z.union([
  z.strictObject({ order: ORDER }),
  z.strictObject({ orders: z.array(ORDER) }),
  z.strictObject({ report: REPORT }),
  z.strictObject({ patient: z.strictObject({ event: z.string().default('A08'), patient: z.string() }) }),
  z.strictObject({ merge: z.strictObject({ patient: z.string(), prior: z.string() }) }),
  z.strictObject({ images: IMAGES }),
  /** The segments of a message as some sender writes them; MSH-7 says when. */
  z.strictObject({ message: z.array(z.string()) }),
  /** The same files are deleted and sent again, perhaps with other tags, before anybody saw that they were gone. */
  z.strictObject({ storedAnew: IMAGES }),
  /** Files that differ from those that are there come under the same identifiers. */
  z.strictObject({ resent: IMAGES }),
  /** All of a study is deleted in Orthanc, and the sweep finds that. */
  z.strictObject({ deleted: z.strictObject({ study: z.string() }) }),
  z.strictObject({ act: ACT }),
]);
export type EpisodeEvent = z.output<typeof EVENT>;

export const EPISODE = z.strictObject({
  why: z.string(),
  /** Settings that are not the default ones. */
  settings: z.record(z.string(), z.string()).optional(),
  patients: z.record(z.string(), PATIENT),
  events: z.array(EVENT),
  /** Why the end may depend on the order of events; where it is not there, it must not. */
  orderMatters: z.string().optional(),
  /** The end as {@link tables} tells it. */
  expected: z.array(z.string()),
});
export type Episode = z.output<typeof EPISODE>;

/** After all that is said in an episode. */
export const NOW = new Date('2026-07-14T12:00:00Z');

const orthancId = (...parts: readonly string[]): string =>
  (createHash('sha1').update(parts.join('|')).digest('hex').match(/.{8}/g) ?? []).join('-');

/** The images of an event, and whether it is of their first files. */
function imagesOf(event: EpisodeEvent): { readonly images: z.output<typeof IMAGES>; readonly how: How } | null {
  if ('images' in event) return { images: event.images, how: 'first' };
  if ('storedAnew' in event) return { images: event.storedAnew, how: 'storedAnew' };
  return 'resent' in event ? { images: event.resent, how: 'resent' } : null;
}

/**
 * An order of events in which the files of each series come as they were recorded: which of two was sent again is not a
 * matter of order.
 */
export function withVersionsInOrder(episode: Episode, order: readonly number[]): number[] {
  const seriesOf = (index: number): string | null => {
    const event = episode.events[index];
    const found = event === undefined ? null : imagesOf(event);
    return found && `${found.images.study}.${found.images.series}`;
  };
  const waiting = Map.groupBy(
    order.toSorted((a, b) => a - b),
    seriesOf,
  );
  return order.map((index) => (seriesOf(index) === null ? index : (waiting.get(seriesOf(index))?.shift() ?? index)));
}

/** Whether files are sent again in an episode, or what it tells is of one place only. */
export const isOfOneFeed = ({ events }: Episode): boolean =>
  events.some((event) => 'storedAnew' in event || 'resent' in event || 'deleted' in event || 'act' in event);

type How = 'first' | 'storedAnew' | 'resent';

function batchOf(
  images: z.output<typeof IMAGES>,
  patient: RisPatient | undefined,
  how: How,
  place: number,
): DicomBatch {
  const tags: Readonly<Record<string, string>> = {
    PatientID: patient?.id ?? '',
    PatientName: patient?.name ?? '',
    PatientBirthDate: patient?.birthDate ?? '',
    StudyDate: '20260714',
    ...images.tags,
  };
  const tag = (name: string): string => cleanTag(tags[name] ?? '');
  const seriesUid = `${images.study}.${images.series}`;
  const studyId = orthancId(tag('PatientID'), images.study);
  const seriesId = orthancId(tag('PatientID'), images.study, seriesUid);
  return {
    studies: [
      {
        orthancId: studyId,
        studyInstanceUid: images.study,
        accessionNumber: tag('AccessionNumber'),
        patientId: tag('PatientID'),
        issuerOfPatientId: tag('IssuerOfPatientID'),
        patientName: tag('PatientName'),
        patientBirthDate: tag('PatientBirthDate'),
        patientSex: tag('PatientSex'),
        studyDate: tag('StudyDate'),
        studyDescription: '',
      },
    ],
    series: [
      {
        orthancId: seriesId,
        orthancStudyId: studyId,
        seriesInstanceUid: seriesUid,
        modality: images.modality,
        seriesDescription: '',
      },
    ],
    instances: Array.from({ length: images.count }, (_, index) => {
      const sopInstanceUid = `${seriesUid}.${images.first + index}`;
      return {
        orthancId: orthancId(tag('PatientID'), images.study, seriesUid, sopInstanceUid),
        orthancSeriesId: seriesId,
        sopInstanceUid,
        sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
        transferSyntaxUid: '1.2.840.10008.1.2.1',
        instanceNumber: images.first + index,
        numberOfFrames: 1,
        callingAeTitle: images.from ?? '',
        modifiedFrom: null,
        fileUuid: how === 'storedAnew' ? `file ${place}` : 'first file',
        said: images.unsaid
          ? null
          : {
              accessionNumbers: saidAccessions(tag('AccessionNumber'), images.requested),
              patientId: tag('PatientID'),
              issuerOfPatientId: tag('IssuerOfPatientID'),
              patientName: tag('PatientName'),
              patientBirthDate: tag('PatientBirthDate'),
              patientSex: tag('PatientSex'),
              studyDate: tag('StudyDate'),
            },
        resent: how === 'resent' ? { key: `resent ${place}`, fields: ['AccessionNumber'] } : null,
      };
    }),
  };
}

/** The message that tells of an event; said a minute after that of the event recorded before it. */
function messageOf(event: EpisodeEvent, episode: Episode, index: number): string | null {
  const who = (name: string): RisPatient => episode.patients[name] ?? { id: name, name: '' };
  const head = { now: new Date(NOW.getTime() - 3_600_000 + index * 60_000), controlId: `E${index}` };
  const orderOf = ({ accession, studyInstanceUid, control, ...order }: z.output<typeof ORDER>) => ({
    accessionNumber: accession,
    procedure: `${order.modality} EXAM`,
    modality: order.modality,
    scheduled: order.scheduled,
    ...(control !== undefined && { control }),
    ...(studyInstanceUid !== undefined && { studyInstanceUid }),
  });
  if ('order' in event) return orm(head, who(event.order.patient), orderOf(event.order));
  if ('orders' in event) return orm(head, who(event.orders[0]?.patient ?? ''), ...event.orders.map(orderOf));
  if ('patient' in event) return adt(event.patient.event, head, who(event.patient.patient));
  if ('merge' in event) return merge(head, who(event.merge.patient), who(event.merge.prior));
  if ('message' in event) return event.message.join('\r');
  if ('report' in event) {
    const { patient, accession, modality, status } = event.report;
    const report = {
      accessionNumber: accession,
      modality,
      procedure: `${modality} EXAM`,
      status,
      reported: '202607141500',
    };
    return oru(head, who(patient), { ...report, lines: [`${status} report ${index}`] });
  }
  return null;
}

/** Plays one event of an episode, at its recorded place `index`, through the flows of production. */
export async function playEvent(db: Knex, operations: Operations, episode: Episode, index: number): Promise<void> {
  const event = episode.events[index];
  if (event === undefined) throw new RangeError('no such event');
  const message = messageOf(event, episode, index);
  if (message !== null) {
    const raw = Buffer.from(`${message}\r`, 'utf8');
    const acknowledgment = await operations.receive({ raw, ...readFrame(raw), remoteAddress: '127.0.0.1' });
    if (!acknowledgment.includes('MSA|AA|')) throw new Error(`event ${index} was refused: ${acknowledgment}`);
    return;
  }
  if ('deleted' in event) {
    const ids = `SELECT i.orthanc_id AS id FROM images i JOIN series s ON s.id = i.series_id
      JOIN dicom_studies d ON d.id = s.dicom_study_id WHERE d.study_instance_uid = :study`;
    const gone = await query(db, ids, event.deleted, z.object({ id: z.string() }));
    const present = () => Promise.resolve(new Set<string>());
    await removeDeleted({ ...operations.removal, present }, gone.map(({ id }) => id)); // prettier-ignore
    return;
  }
  if ('act' in event) {
    const { study, kind, accession = '', despitePatient } = event.act;
    const act = kind === 'link' ? { kind, accessionNumber: accession, despitePatient } : { kind, despitePatient };
    await operations.resolve(study, act, { who: 'Ann', why: 'asked the patient' });
    return;
  }
  const found = imagesOf(event);
  if (found === null) return;
  const { images, how } = found;
  const patient = images.patient === undefined ? undefined : episode.patients[images.patient];
  const batch = batchOf(images, patient, how, index);
  const seq = ((await readCursor(db))?.seq ?? 0) + 1;
  const feed: Feed = {
    serverId: () => Promise.resolve('episode'),
    changes: () => Promise.resolve({ changes: [{ seq, orthancId: 'page' }], last: seq, done: true }),
    lastSeq: () => Promise.resolve(seq),
    readInstances: () => Promise.resolve(batch),
  };
  await followChanges({
    feed,
    readCursor: () => readCursor(db),
    transaction: operations.transaction,
    take: operations.take,
    takeApart: () => Promise.reject(new Error('an episode has no instance that cannot be taken')),
    believesEnd: false,
    onOverlooked: () => undefined,
    batchSize: 1000,
    now: () => NOW,
  });
}

const TABLES = `
SELECT line FROM (
  SELECT 1 AS part, format('patient %s: %s', p.external_id || coalesce('@' || p.issuer, ''), concat_ws(', ', p.name,
           CAST(p.birth_date AS text), coalesce(p.phone_number, p.phone_problem),
           'is ' || m.external_id || coalesce('@' || m.issuer, ''))) AS line
  FROM patients p LEFT JOIN patients m ON m.id = p.merged_into WHERE p.source = 'ris'
  UNION ALL
  SELECT 2, format('study %s of %s: %s', s.accession_number, p.external_id || coalesce('@' || p.issuer, ''),
           concat_ws(', ', s.modality, CAST(s.study_date AS text), s.order_status, 'clash with ' || s.clash,
             (SELECT string_agg(r.status || coalesce(' report withheld: ' || r.withheld, ' report'), ' + ' ORDER BY r.said_at)
              FROM reports r WHERE r.study_id = s.id),
             (SELECT CASE WHEN x.study_id = s.id
                       THEN 'text ' || x.state || coalesce(' to ' || x.to_number, '') || coalesce(': ' || x.reason, '')
                       ELSE 'told of with ' || l.accession_number END
              FROM sms_studies t JOIN sms_messages x ON x.id = t.sms_id JOIN studies l ON l.id = x.study_id
              WHERE t.study_id = s.id)))
  FROM studies s JOIN patients p ON p.id = s.patient_id WHERE s.source = 'ris'
  UNION ALL
  SELECT 3, format('images %s: %s', d.study_instance_uid, concat_ws(', ',
           d.status || ' (' || concat_ws(', ', d.rule, d.reason) || ')',
           CASE WHEN d.shown IS NULL THEN 'seen to differ in ' ELSE 'contested: ' END || d.contested,
           CASE WHEN s.source = 'ris' THEN 'in ' || (
             SELECT string_agg(o.accession_number, ' and ' ORDER BY o.accession_number)
             FROM dicom_study_links l JOIN studies o ON o.id = l.study_id WHERE l.dicom_study_id = d.id)
                ELSE 'in a study of their own' || coalesce(' of ' || p.external_id, '') || coalesce(' ' || p.name, '') END,
           (SELECT 'could be ' || string_agg(c.accession_number, ' ' ORDER BY c.accession_number)
            FROM studies c WHERE d.status <> 'linked' AND c.id = ANY (d.candidate_ids)),
           (SELECT count(DISTINCT e.id) || ' series, ' || count(i.id) || ' images'
            FROM series e JOIN images i ON i.series_id = e.id WHERE e.dicom_study_id = d.id AND e.study_id = d.study_id)))
  FROM dicom_studies d LEFT JOIN studies s ON s.id = d.study_id LEFT JOIN patients p ON p.id = s.patient_id
  UNION ALL
  SELECT 4, format('abandoned study %s', s.study_instance_uid) FROM studies s
  WHERE s.source = 'dicom' AND NOT EXISTS (SELECT 1 FROM dicom_studies d WHERE d.study_id = s.id)
  UNION ALL
  SELECT 5, format('abandoned patient %s', p.name) FROM patients p
  WHERE p.source = 'dicom' AND NOT EXISTS (SELECT 1 FROM studies s WHERE s.patient_id = p.id)
) AS told ORDER BY part, line COLLATE "C"`;

/** What the tables hold, a line a thing, without what depends on the order of events by its nature: ids, versions, times. */
export async function tables(db: Knex): Promise<string[]> {
  const result: unknown = await db.raw(TABLES);
  return z
    .object({ rows: z.array(z.object({ line: z.string() })) })
    .parse(result)
    .rows.map(({ line }) => line);
}

const EMPTY = `
SET session_replication_role = replica;
TRUNCATE patients, studies, dicom_studies, dicom_study_links, dicom_study_tags, seen_tags, image_differences, link_decisions, series, images, feed_cursor, hl7_messages,
  reports, report_attachments, sms_messages, sms_receipts, sms_opt_outs, failures, patient_facts, patient_merges, study_facts CASCADE;
SET session_replication_role = DEFAULT`;

/** Empties every table of the test's own database. */
export async function emptyTables(db: Knex): Promise<void> {
  await db.raw(EMPTY);
}
