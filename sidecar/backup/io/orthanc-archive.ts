import axios, { type AxiosRequestConfig } from 'axios';
import { z } from 'zod';
import type { PersonLabel } from '../rules/counts.ts';
import { Failure } from '../../platform/rules/failure.ts';
import { isOwnLabel } from '../../linking/rules/labels.ts';
import { orthancFailure } from '../../images/io/orthanc-failure.ts';

const LEVELS = ['Patient', 'Study', 'Series', 'Instance'] as const;
const PATHS = { Patient: 'patients', Study: 'studies', Series: 'series', Instance: 'instances' };

const STATISTICS = z.object({ CountInstances: z.number() });
const NAMES = z.array(z.string());

/** What only backups need of Orthanc's REST API. Every call throws a classified {@link Failure}. */
export function createOrthancArchive(options: {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly timeoutMs: number;
}) {
  const { url, username, password, timeoutMs } = options;
  const client = axios.create({ baseURL: url, auth: { username, password }, proxy: false, maxRedirects: 0 });
  const ask = async <T>(what: string, request: AxiosRequestConfig, schema: z.ZodType<T>): Promise<T> => {
    try {
      const answer = await client.request<unknown>({
        timeout: timeoutMs,
        signal: AbortSignal.timeout(timeoutMs),
        ...request,
      });
      return schema.parse(answer.data);
    } catch (error) {
      throw orthancFailure(error, what);
    }
  };
  return {
    instances: async (): Promise<number> =>
      (await ask('statistics', { url: '/statistics' }, STATISTICS)).CountInstances,

    /** All labels, of whatever they are, that the sidecar does not put by itself. */
    async personLabels(): Promise<readonly PersonLabel[]> {
      const names = await ask('labels', { url: '/tools/labels' }, NAMES);
      const found: PersonLabel[] = [];
      for (const label of names.filter((name) => !isOwnLabel(name))) {
        for (const level of LEVELS) {
          const data = { Level: level, Query: {}, Labels: [label], LabelsConstraint: 'All', Expand: false };
          const ids = await ask('find', { method: 'POST', url: '/tools/find', data }, NAMES);
          found.push(...ids.map((orthancId) => ({ level, orthancId, label })));
        }
      }
      return found;
    },

    /** Gives false where there is no such patient, study, series or instance. */
    async putLabel({ level, orthancId, label }: PersonLabel): Promise<boolean> {
      try {
        const path = `/${PATHS[level]}/${encodeURIComponent(orthancId)}/labels/${encodeURIComponent(label)}`;
        await ask('label', { method: 'PUT', url: path, data: '' }, z.unknown());
        return true;
      } catch (error) {
        if (error instanceof Failure && error.code === 'orthanc-404') return false;
        throw error;
      }
    },
  };
}
