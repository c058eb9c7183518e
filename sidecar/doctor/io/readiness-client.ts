import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import axios from 'axios';
import { z } from 'zod';

const READY = z.object({
  parts: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string().optional() })),
});

/**
 * What a sidecar says of its parts (`/readyz`), ready or not; null where something else answers. By HTTPS where it has a
 * `certificate` (a PEM file): whatever name that is for, it is the one that must be shown.
 */
export async function askReadiness(
  { host, port }: { readonly host: string; readonly port: number },
  certificate: string | undefined,
  timeoutMs: number,
): Promise<z.infer<typeof READY>['parts'] | null> {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}/readyz`;
  const options = { timeout: timeoutMs, proxy: false, validateStatus: () => true } as const;
  const ask = async (): Promise<unknown> => {
    if (certificate === undefined) return (await axios.get<unknown>(`http://${at}`, options)).data;
    const ca = await readFile(certificate, 'utf8');
    const httpsAgent = new Agent({ ca, allowPartialTrustChain: true, checkServerIdentity: () => undefined });
    return (await axios.get<unknown>(`https://${at}`, { ...options, httpsAgent })).data;
  };
  return READY.safeParse(await ask()).data?.parts ?? null;
}
