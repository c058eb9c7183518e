import { READ_CURSOR } from '../../images/io/feed-rows.ts';

/** What tells the job queue's tasks apart by the payload of a job's row. */
const TASKS: readonly (readonly [task: string, payload: RegExp])[] = [
  ['mirror-image', /"imageId"/],
  ['send-sms', /"smsId"/],
  ['look-for-deleted', /"look"/],
  ['label-study', /"dicomStudyId"/],
  ['remove-blobs', /"orthancId"/],
];

/** The task of the job that this row is of, if it is of one. */
export const taskOfRow = (row: string): string | undefined => TASKS.find(([, payload]) => payload.test(row))?.[0];

/** A statement that idly looks: the job queue for a job to do, the feed for where it was. */
export const isLook = (sql: string): boolean =>
  (sql.includes('skip locked') && sql.includes('attempts + 1')) || sql.includes(READ_CURSOR);

/** A statement of the job queue that a job is done. */
export const completesJob = (sql: string): boolean => /^delete from \S*_private_jobs/.test(sql);

/** What a statement does to which table, in a few words. */
export function sqlName(sql: string): string {
  const text = sql.replaceAll('"', '').replace(/\s+/g, ' ').trim();
  if (/graphile_worker\.add_jobs?\(/i.test(text)) {
    const task = TASKS.find(([name]) => text.includes(`'${name}'`))?.[0];
    return task === undefined ? 'add job' : `add job ${task}`;
  }
  const [, lock] = /\b(pg_\w*advisory\w*)/i.exec(text) ?? [];
  if (lock !== undefined) return `SELECT ${lock}`;
  const [, verb, into] = /\b(INSERT INTO|UPDATE(?! OF| SKIP)|DELETE FROM) ([\w.]+)/i.exec(text) ?? [];
  if (verb !== undefined && into !== undefined) return `${verb.toUpperCase()} ${into}`;
  const [, from] = /\bFROM ([\w.]+)/i.exec(text) ?? [];
  if (/^(SELECT|WITH)\b/i.test(text) && from !== undefined) return `SELECT FROM ${from}`;
  return text.slice(0, 40).replace(/;$/, '').toUpperCase();
}

/** Whether the statement changes anything. */
export const writes = (name: string): boolean => /^(INSERT|UPDATE|DELETE|add job|complete job)/.test(name);

const ORTHANC_ID = /[0-9a-f]{8}(?:-[0-9a-f]{8}){4}/g;

export function orthancName(method: string, url: string, body: Buffer): string {
  const { pathname } = new URL(url, 'http://orthanc');
  const level = /"Level":"(\w+)"/.exec(body.toString('latin1'))?.[1];
  const path = pathname.replace(ORTHANC_ID, '{id}');
  return `orthanc: ${method} ${path}${level === undefined ? '' : ` ${level}`}`;
}

export function blobName(method: string, url: string): string {
  const { pathname } = new URL(url, 'http://blob');
  return `blob: ${method} ${pathname.split('/').at(-2) ?? ''}`;
}

export const twilioName = (method: string): string => `twilio: ${method} Messages`;

export function answerName(method: string, url: string): string {
  const path = url.replace(/\/studies\/[^/]+/, '/studies/{uid}').replace(/\/messages\/[^/]+/, '/messages/{id}');
  return `http: answer to ${method} ${path}`;
}
