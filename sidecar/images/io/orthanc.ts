import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import type { Readable } from 'node:stream';
import axios, { isAxiosError, type AxiosRequestConfig } from 'axios';
import { z } from 'zod';
import { cleanTag, type DicomBatch } from '../rules/dicom.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { FIRST_PORTION, nextPortion } from '../rules/portion.ts';
import { orthancFailure, wentAway } from './orthanc-failure.ts';

/** What Orthanc made of one file (Orthanc Book, "REST API": POST /instances). */
export type StoreResult =
  | { readonly status: 'stored' | 'already-stored'; readonly orthancId: string; readonly orthancStudyId: string }
  | { readonly status: 'refused'; readonly reason: string };

const SYSTEM = z.object({
  Version: z.string(),
  DicomAet: z.string(),
  DatabaseServerIdentifier: z.string(),
  HasLabels: z.boolean().default(false),
  Capabilities: z
    .object({ HasExtendedChanges: z.boolean().default(false), HasExtendedFind: z.boolean().default(false) })
    .prefault({}),
});

const CHANGES = z.object({
  Changes: z.array(z.object({ Seq: z.number(), ChangeType: z.string(), ID: z.string() })),
  Last: z.number(),
  Done: z.boolean(),
});

const tag = z
  .unknown()
  .optional()
  .transform((value) => (typeof value === 'string' ? cleanTag(value) : ''));
const wholeNumber = (text: string): number | null => (/^[+-]?\d{1,9}$/.test(text) ? Number(text) : null);

const INSTANCES = z.array(
  z.object({
    ID: z.string(),
    ParentSeries: z.string(),
    MainDicomTags: z.object({ SOPInstanceUID: tag, InstanceNumber: tag, NumberOfFrames: tag }),
    Metadata: z.object({ SopClassUid: tag, TransferSyntax: tag, ModifiedFrom: tag, RemoteAET: tag }),
  }),
);
const SERIES = z.array(
  z.object({
    ID: z.string(),
    ParentStudy: z.string(),
    MainDicomTags: z.object({ SeriesInstanceUID: tag, Modality: tag, SeriesDescription: tag }),
  }),
);
const STUDIES = z.array(
  z.object({
    ID: z.string(),
    MainDicomTags: z.object({ StudyInstanceUID: tag, AccessionNumber: tag, StudyDate: tag, StudyDescription: tag }),
    PatientMainDicomTags: z.object({
      PatientID: tag,
      IssuerOfPatientID: tag,
      PatientName: tag,
      PatientBirthDate: tag,
      PatientSex: tag,
    }),
  }),
);
const LABELLED = z.array(z.object({ ID: z.string(), Labels: z.array(z.string()) }));
const IDENTIFIED = z.array(z.object({ ID: z.string() }));
const STORED = z.object({ ID: z.string(), ParentStudy: z.string(), Status: z.enum(['Success', 'AlreadyStored']) });
/** What a query takes as it is: no wildcard, no list (DICOM PS3.5, section 9). */
const PLAIN_UID = /^[0-9.]{1,64}$/;
const UIDS_AT_ONCE = 100;
const ERROR_BODY = z.object({ Message: z.string().default(''), Details: z.string().default('') });

/** What Orthanc answers to a file that it will never store; 404 is "Inexistent tag". */
const REFUSALS = new Set([400, 404, 415]);

/** Orthanc closes a connection that was idle for a second, sometimes just as it is used again: ask once more. */
async function twice<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!isAxiosError(error) || !wentAway(error)) throw error;
    return request();
  }
}

export interface OrthancOptions {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** For each request but a file's way in or out, which has ten times as long. */
  readonly timeoutMs: number;
  readonly maxFileBytes: number;
}

export type Orthanc = ReturnType<typeof createOrthanc>;

/** A connection that nothing else uses, closed after it. */
const ownConnection = () => ({ httpAgent: new Agent(), httpsAgent: new SecureAgent() });

/** Orthanc's REST API, as far as it is needed. Every call throws a classified {@link Failure}. */
export function createOrthanc(options: OrthancOptions) {
  const { url, username, password, timeoutMs, maxFileBytes } = options;
  const pool = { keepAlive: true, maxSockets: 32, agentKeepAliveTimeoutBuffer: 400 };
  const [httpAgent, httpsAgent] = [new Agent(pool), new SecureAgent(pool)];
  const client = axios.create({
    baseURL: url,
    auth: { username, password },
    httpAgent,
    httpsAgent,
    proxy: false,
    maxRedirects: 0,
  });
  const send = async <T>(what: string, request: AxiosRequestConfig, schema: z.ZodType<T>, repeat: typeof twice) => {
    try {
      const signal = (): AbortSignal => AbortSignal.timeout(request.timeout ?? timeoutMs);
      const answer = await repeat(() => client.request<unknown>({ timeout: timeoutMs, signal: signal(), ...request }));
      return schema.parse(answer.data);
    } catch (error) {
      throw orthancFailure(error, what);
    }
  };
  const ask = <T>(what: string, request: AxiosRequestConfig, schema: z.ZodType<T>): Promise<T> =>
    send(what, request, schema, twice);
  // Once, and on a connection of its own: `orthanc-went-away` then means that Orthanc ended while it was at it.
  const drawn = (what: string, url: string, more: AxiosRequestConfig = {}): Promise<Buffer> => {
    const limits = { timeout: timeoutMs * 10, maxContentLength: maxFileBytes };
    const request: AxiosRequestConfig = { ...more, ...limits, ...ownConnection(), url, responseType: 'arraybuffer' };
    return send(what, request, z.instanceof(Buffer), (once) => once());
  };
  let portion = FIRST_PORTION;
  const bulk = async <T>(level: string, ids: readonly string[], schema: z.ZodType<T[]>): Promise<T[]> => {
    const found: T[] = [];
    for (let at = 0; at < ids.length;) {
      const some = ids.slice(at, at + portion);
      const data = { Resources: some, Level: level, Metadata: level === 'Instance' };
      const begin = performance.now();
      try {
        found.push(...(await ask('bulk-content', { method: 'POST', url: '/tools/bulk-content', data }, schema)));
      } catch (error) {
        portion = nextPortion(portion, 'failed');
        throw error;
      }
      portion = nextPortion(portion, { count: some.length, ms: performance.now() - begin });
      at += some.length;
    }
    return found;
  };
  // Of a series itself Orthanc tells whether it is complete, for which it reads what it knows of each of its images, and
  // more the larger the archive is. Found by their studies they come without.
  const seriesOf = async (studies: readonly z.infer<typeof STUDIES>[number][], wanted: ReadonlySet<string>) => {
    const found: z.infer<typeof SERIES> = [];
    const uids = studies.map(({ MainDicomTags }) => MainDicomTags.StudyInstanceUID);
    const plain = [...new Set(uids.filter((uid) => PLAIN_UID.test(uid)))];
    for (let at = 0; at < plain.length; at += UIDS_AT_ONCE) {
      const Query = { StudyInstanceUID: plain.slice(at, at + UIDS_AT_ONCE).join('\\') };
      const data = { Level: 'Series', Query, Expand: true, ResponseContent: ['MainDicomTags', 'Parent'] };
      found.push(...(await ask('find', { method: 'POST', url: '/tools/find', data }, SERIES)));
    }
    const series = found.filter(({ ID }) => wanted.has(ID));
    const known = new Set(series.map(({ ID }) => ID));
    const missing = [...wanted].filter((id) => !known.has(id));
    return [...series, ...(await bulk('Series', missing, SERIES))];
  };
  const changeLabel = async (method: string, orthancId: string, label: string): Promise<void> => {
    try {
      await ask('label', { method, url: `/studies/${orthancId}/labels/${label}`, data: '' }, z.unknown());
    } catch (error) {
      // The study is gone.
      if (!(error instanceof Failure && error.code === 'orthanc-404')) throw error;
    }
  };

  return {
    /** @throws Failure permanent `orthanc-too-old` before 1.12.5, whose feed and bulk reads lack what is needed. */
    async system(): Promise<{ version: string; aeTitle: string; serverId: string }> {
      const system = await ask('system', { url: '/system' }, SYSTEM);
      const { HasExtendedChanges, HasExtendedFind } = system.Capabilities;
      if (!HasExtendedChanges || !HasExtendedFind || !system.HasLabels) {
        const message = `Orthanc ${system.Version} is too old: 1.12.5 is the oldest that will do`;
        throw new Failure('permanent', 'orthanc-too-old', message);
      }
      return { version: system.Version, aeTitle: system.DicomAet, serverId: system.DatabaseServerIdentifier };
    },

    /**
     * The new instances after `since` (exclusive), at most `limit` of them, oldest first (Orthanc Book, "Tracking
     * changes"). With the filter on NewInstance `last` is the last of them, or the feed's end where there is none.
     */
    async changes(since: number, limit: number) {
      const params = { since, limit: Math.max(1, limit), type: 'NewInstance' };
      const { Changes, Last, Done } = await ask('changes', { url: '/changes', params }, CHANGES);
      const changes = Changes.filter(({ ChangeType }) => ChangeType === 'NewInstance');
      return { changes: changes.map(({ Seq, ID }) => ({ seq: Seq, orthancId: ID })), last: Last, done: Done };
    },

    /** The end of the feed: the Seq of its newest change of any kind. */
    async lastSeq(): Promise<number> {
      return (await ask('changes', { url: '/changes?last' }, CHANGES)).Last;
    },

    /** Tags of these instances and of their parents, from Orthanc's index alone; those that are gone are left out. */
    async readInstances(orthancIds: readonly string[]): Promise<DicomBatch> {
      if (orthancIds.length === 0) return { instances: [], series: [], studies: [] };
      const instances = await bulk('Instance', orthancIds, INSTANCES);
      const wanted = new Set(instances.map(({ ParentSeries }) => ParentSeries));
      const parents = await bulk('Study', [...wanted], STUDIES);
      const studies = [...new Map(parents.map((study) => [study.ID, study])).values()];
      const series = await seriesOf(studies, wanted);
      const [seriesIds, studyIds] = [new Set(series.map(({ ID }) => ID)), new Set(studies.map(({ ID }) => ID))];
      const complete = new Set(series.filter(({ ParentStudy }) => studyIds.has(ParentStudy)).map(({ ID }) => ID));
      return {
        instances: instances
          .filter(({ ParentSeries }) => seriesIds.has(ParentSeries) && complete.has(ParentSeries))
          .map(({ ID, ParentSeries, MainDicomTags: tags, Metadata }) => ({
            orthancId: ID,
            orthancSeriesId: ParentSeries,
            sopInstanceUid: tags.SOPInstanceUID,
            sopClassUid: Metadata.SopClassUid,
            transferSyntaxUid: Metadata.TransferSyntax,
            instanceNumber: wholeNumber(tags.InstanceNumber),
            numberOfFrames: Math.max(1, wholeNumber(tags.NumberOfFrames) ?? 1),
            callingAeTitle: Metadata.RemoteAET,
            modifiedFrom: Metadata.ModifiedFrom || null,
          })),
        series: series
          .filter(({ ID }) => complete.has(ID))
          .map(({ ID, ParentStudy, MainDicomTags: tags }) => ({
            orthancId: ID,
            orthancStudyId: ParentStudy,
            seriesInstanceUid: tags.SeriesInstanceUID,
            modality: tags.Modality,
            seriesDescription: tags.SeriesDescription,
          })),
        studies: studies.map(({ ID, MainDicomTags: tags, PatientMainDicomTags: patient }) => ({
          orthancId: ID,
          // Orthanc takes files without one; each of its studies is then one of its own.
          studyInstanceUid: tags.StudyInstanceUID || ID,
          accessionNumber: tags.AccessionNumber,
          patientId: patient.PatientID,
          issuerOfPatientId: patient.IssuerOfPatientID,
          patientName: patient.PatientName,
          patientBirthDate: patient.PatientBirthDate,
          patientSex: patient.PatientSex,
          studyDate: tags.StudyDate,
          studyDescription: tags.StudyDescription,
        })),
      };
    },

    /**
     * A frame (from 0) as JPEG with the file's own window. Permanent `orthanc-415` where Orthanc cannot decode it;
     * transient `orthanc-went-away` where it ended meanwhile.
     */
    rendered: (orthancId: string, frame: number): Promise<Buffer> =>
      drawn('rendered', `/instances/${orthancId}/frames/${frame}/rendered`, {
        params: { quality: 90 },
        headers: { Accept: 'image/jpeg' },
      }),

    /** The DICOM file, for drawing it here. Permanent `too-large` beyond the limit; else fails as `rendered` does. */
    file: (orthancId: string): Promise<Buffer> => drawn('file', `/instances/${orthancId}/file`),

    /** The ids of all instances, page by page of `limit`: fewer than that is the last page. */
    instanceIds: (since: number, limit: number): Promise<string[]> =>
      ask('instances', { url: '/instances', params: { since, limit } }, z.array(z.string())),

    /** Of these instances those that are there. */
    present: async (orthancIds: readonly string[]): Promise<ReadonlySet<string>> => {
      const found = await bulk('Instance', orthancIds, IDENTIFIED);
      return new Set(found.map(({ ID }) => ID));
    },

    /** The labels of these studies; those that are gone are left out. */
    labels: async (orthancIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> => {
      const studies = await bulk('Study', orthancIds, LABELLED);
      return new Map(studies.map(({ ID, Labels }) => [ID, Labels]));
    },

    putLabel: (orthancId: string, label: string) => changeLabel('PUT', orthancId, label),
    removeLabel: (orthancId: string, label: string) => changeLabel('DELETE', orthancId, label),

    /**
     * Streams one file into Orthanc, chunked, so that it is never whole in memory here. Idempotent: a file sent twice is
     * `already-stored`. An error of `body` breaks the request off, and Orthanc then keeps nothing of it.
     */
    store: async (body: Readable, signal: AbortSignal): Promise<StoreResult> => {
      try {
        const headers = { 'Content-Type': 'application/dicom' };
        // A file is streamed once, so that it cannot go out again where an idle connection was just closed.
        const request = {
          ...ownConnection(),
          method: 'POST',
          url: '/instances',
          data: body,
          headers,
          signal,
          maxBodyLength: Infinity,
        };
        const answer = await client.request<unknown>({ ...request, timeout: 0 });
        const { ID, ParentStudy, Status } = STORED.parse(answer.data);
        const status = Status === 'Success' ? 'stored' : 'already-stored';
        return { status, orthancId: ID, orthancStudyId: ParentStudy };
      } catch (error) {
        const refusal = isAxiosError(error) ? error.response : undefined;
        if (refusal !== undefined && REFUSALS.has(refusal.status)) {
          const { Message, Details } = ERROR_BODY.safeParse(refusal.data).data ?? { Message: '', Details: '' };
          const missing = refusal.status === 404 ? 'an identifier that DICOM requires is missing: ' : '';
          return { status: 'refused', reason: missing + cleanTag(Details || Message || 'not a DICOM file') };
        }
        throw orthancFailure(error, 'store');
      }
    },

    /** Closes idle connections. */
    close(): void {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
