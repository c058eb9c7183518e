import { request as plainRequest, type IncomingHttpHeaders } from 'node:http';
import { request as tlsRequest, type RequestOptions } from 'node:https';
import { z } from 'zod';

export interface Asked {
  readonly port: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** By HTTPS, with these: `ca`, and a client's `cert` and `key`. */
  readonly tls?: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'minVersion' | 'maxVersion' | 'ciphers'>;
  /** The address that it comes from. */
  readonly from?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The member of that name of a JSON object. */
  readonly member: (name: string) => unknown;
}

/** One request on a connection of its own. Rejects where there is no answer. */
export function ask({ port, method = 'GET', path = '/', headers = {}, body, tls, from }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, headers, agent: false, localAddress: from, ...tls };
    const sent = (tls === undefined ? plainRequest : tlsRequest)(options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('error', reject);
      response.on('end', () => {
        const member = (name: string): unknown => z.record(z.string(), z.unknown()).parse(JSON.parse(text))[name];
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, member });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Its status, or `0` where there is no answer. */
export const statusOf = (asked: Asked): Promise<number> =>
  ask(asked).then(
    ({ status }) => status,
    () => 0,
  );
