import { once } from 'node:events';
import type { Server } from 'node:net';

/** Lets the server listen there and gives its port; `port` 0: any free one. Rejects where it cannot. */
export async function listen(server: Server, port: number, host: string): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return address.port;
}
