import { fileURLToPath } from 'node:url';
import axios from 'axios';
import { z } from 'zod';
import { startChild, untilReady, type Child } from './child.ts';

export interface SidecarProcess extends AsyncDisposable {
  readonly child: Child;
  readonly hl7Port: number;
  readonly httpPort: number;
}

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const LISTENING = z.object({ msg: z.literal('listening'), hl7Port: z.number(), httpPort: z.number() });

function ports(output: string): z.infer<typeof LISTENING> | null {
  for (const line of output.split('\n')) {
    if (!line.includes('"listening"') || !line.endsWith('}')) continue;
    return LISTENING.parse(JSON.parse(line));
  }
  return null;
}

/** The sidecar as a process of its own, as an operator runs it; ready (`/readyz`) when this settles. */
export async function startSidecarProcess(environment: Readonly<Record<string, string>>): Promise<SidecarProcess> {
  const child = startChild(process.execPath, [MAIN], { env: { PATH: process.env['PATH'], ...environment } });
  const heard: z.infer<typeof LISTENING>[] = [];
  await untilReady(child, 'the sidecar', async () => {
    const [line = ports(child.lastOutput())] = heard;
    if (line === null) return false;
    if (heard.length === 0) heard.push(line);
    const { status } = await axios.get(`http://127.0.0.1:${line.httpPort}/readyz`, { proxy: false, timeout: 5000 });
    return status === 200;
  });
  const [listening] = heard;
  if (listening === undefined) throw new Error('the sidecar is ready, but listens nowhere');
  const { hl7Port, httpPort } = listening;
  return { child, hl7Port, httpPort, [Symbol.asyncDispose]: () => child.stop() };
}
