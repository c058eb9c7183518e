import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import axios, { isAxiosError, type AxiosRequestConfig } from 'axios';
import { z } from 'zod';
import { versionOf } from '../rules/dicom.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { FIRST_PORTION, nextPortion } from '../rules/portion.ts';
import { reading } from './orthanc-reading.ts';
import { storing } from './orthanc-store.ts';
import { orthancFailure, wentAway } from './orthanc-failure.ts';
import { INSTANCE, RESENT_METADATA, resentOf } from './orthanc-instance.ts';

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
  Changes: z.array(
    z.object({ Seq: z.number(), ChangeType: z.string(), ResourceType: z.string().default(''), ID: z.string() }),
  ),
  Last: z.number(),
  Done: z.boolean(),
});

const LABELLED = z.array(z.object({ ID: z.string(), Labels: z.array(z.string()) }));
const FILED = z.array(INSTANCE.pick({ ID: true, FileUuid: true, Metadata: true }));
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
  /** Of these instances those that are there, each with what changes when another file is stored or comes again. */
  const versions = async (orthancIds: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    const found = await bulk('Instance', orthancIds, FILED);
    return new Map(
      found.map(({ ID, FileUuid, Metadata }) => [
        ID,
        versionOf(FileUuid, resentOf(Metadata[RESENT_METADATA], null).resent?.key ?? ''),
      ]),
    );
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
     * The instances that are new, or were told something of, after `since` (exclusive), at most `limit` changes, oldest
     * first (Orthanc Book, "Tracking changes"). With the filter `last` is the last of them, or the feed's end where there
     * is none.
     */
    async changes(since: number, limit: number) {
      // Orthanc does not take the semicolon encoded.
      const url = `/changes?since=${since}&limit=${Math.max(1, limit)}&type=NewInstance;UpdatedMetadata`;
      const { Changes, Last, Done } = await ask('changes', { url }, CHANGES);
      return {
        changes: Changes.map(({ Seq, ID, ResourceType }) => ({
          seq: Seq,
          orthancId: ResourceType === 'Instance' ? ID : null,
        })),
        last: Last,
        done: Done,
      };
    },

    /** The end of the feed: the Seq of its newest change of any kind. */
    async lastSeq(): Promise<number> {
      return (await ask('changes', { url: '/changes?last' }, CHANGES)).Last;
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
    present: async (orthancIds: readonly string[]): Promise<ReadonlySet<string>> =>
      new Set((await versions(orthancIds)).keys()),
    versions,

    /** The labels of these studies; those that are gone are left out. */
    labels: async (orthancIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> => {
      const studies = await bulk('Study', orthancIds, LABELLED);
      return new Map(studies.map(({ ID, Labels }) => [ID, Labels]));
    },

    putLabel: (orthancId: string, label: string) => changeLabel('PUT', orthancId, label),
    removeLabel: (orthancId: string, label: string) => changeLabel('DELETE', orthancId, label),

    ...reading({ ask, bulk }),
    ...storing({ client, ask, timeoutMs, ownConnection }),

    /** Closes idle connections. */
    close(): void {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
