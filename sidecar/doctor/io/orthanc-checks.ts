import axios, { isAxiosError, type AxiosRequestConfig } from 'axios';
import { z } from 'zod';
import { Failure } from '../../platform/rules/failure.ts';

const SYSTEM = z.object({ Version: z.string(), DicomAet: z.string(), DicomPort: z.number() });
const STATISTICS = z.object({ CountInstances: z.number(), TotalDiskSizeMB: z.number() });
const FOUND = z.array(z.object({ ID: z.string(), Type: z.string() }));
const NOW = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})$/;

/** What only the check of an installation asks Orthanc. Every call throws a {@link Failure} `orthanc-…`. */
export function createOrthancChecks(options: { url: string; username: string; password: string; timeoutMs: number }) {
  const { url, username, password, timeoutMs } = options;
  const ask = async <T>(request: AxiosRequestConfig, schema: z.ZodType<T>): Promise<T> => {
    try {
      const common = { baseURL: url, auth: { username, password }, proxy: false, maxRedirects: 0 } as const;
      const signal = AbortSignal.timeout(timeoutMs);
      return schema.parse((await axios.request<unknown>({ ...common, signal, ...request })).data);
    } catch (error) {
      const status = isAxiosError(error) ? (error.response?.status ?? error.code) : undefined;
      const code = `orthanc-${typeof status === 'number' ? status : 'unreachable'}`;
      throw new Failure(
        'permanent',
        code,
        `Orthanc: ${request.url ?? ''}: ${status ?? 'an answer of an unknown shape'}`,
      );
    }
  };
  return {
    system: async () => {
      const { Version, DicomAet, DicomPort } = await ask({ url: '/system' }, SYSTEM);
      return { version: Version, aeTitle: DicomAet, dicomPort: DicomPort };
    },
    statistics: async () => {
      const { CountInstances, TotalDiskSizeMB } = await ask({ url: '/statistics' }, STATISTICS);
      return { instances: CountInstances, megabytes: TotalDiskSizeMB };
    },
    /** Its clock, in whole seconds (Orthanc Book: `/tools/now`, UTC). */
    now: async (): Promise<Date> => {
      const text = await ask({ url: '/tools/now' }, z.string().regex(NOW));
      return new Date(text.replace(NOW, '$1-$2-$3T$4:$5:$6Z'));
    },
    /** Orthanc's ids of what has that UID, of that level. */
    find: async (level: 'Study' | 'Instance', uid: string): Promise<readonly string[]> =>
      (await ask({ method: 'POST', url: '/tools/lookup', data: uid }, FOUND))
        .filter(({ Type }) => Type === level)
        .map(({ ID }) => ID),
    deleteStudy: async (orthancId: string): Promise<void> => {
      await ask({ method: 'DELETE', url: `/studies/${orthancId}` }, z.unknown());
    },
  };
}
