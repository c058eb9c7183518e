import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { asFailure, Failure } from '../../platform/rules/failure.ts';
import { createMllpDecoder, mllpFrame } from '../rules/mllp.ts';

const MAX_ANSWER_BYTES = 65_536;

/**
 * Sends one HL7 message by MLLP on a connection of its own and gives the acknowledgment's text. @throws Failure
 * `hl7-unreachable`, `hl7-timeout`.
 */
export async function sendByMllp(
  to: {
    readonly host: string;
    readonly port: number;
    readonly timeoutMs: number;
    /** PEM texts, where the port takes TLS. */
    readonly tls?: { readonly ca: string; readonly certificate?: string; readonly key?: string } | undefined;
  },
  message: string,
): Promise<string> {
  const { host, port, timeoutMs, tls } = to;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket =
    tls === undefined
      ? connect({ host, port })
      : connectSecurely({ host, port, ca: tls.ca, cert: tls.certificate, key: tls.key });
  const decoder = createMllpDecoder(MAX_ANSWER_BYTES);
  socket.on('data', (chunk: Buffer) => {
    for (const event of decoder.push(chunk)) if (event.kind === 'frame') resolve(event.bytes.toString('utf8'));
  });
  socket.on('error', (error) => {
    reject(new Failure('permanent', 'hl7-unreachable', asFailure(error).message));
  });
  socket.on('close', () => {
    reject(new Failure('permanent', 'hl7-unreachable', 'the connection was closed without an answer'));
  });
  const late = setTimeout(() => {
    reject(new Failure('permanent', 'hl7-timeout', `no answer within ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    const sent = once(socket, tls === undefined ? 'connect' : 'secureConnect').then(() => {
      socket.write(mllpFrame(Buffer.from(message, 'utf8')));
    });
    sent.catch(() => undefined);
    return await promise;
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}
