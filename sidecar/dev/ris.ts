import { once } from 'node:events';
import { connect } from 'node:net';
import { createMllpDecoder, mllpFrame } from '../hl7/rules/mllp.ts';

export interface Ris extends AsyncDisposable {
  /** Sends one message (segments as lines) on the one kept-open connection and gives the acknowledgment's text. */
  send(message: string): Promise<string>;
  /** Sends bytes as they are. */
  write(bytes: Buffer): void;
  /** The next acknowledgment. */
  answer(): Promise<string>;
}

const ANSWER_TIMEOUT_MS = 30_000;

/** Plays the RIS: one MLLP connection, UTF-8. */
export async function connectRis(port: number, host = '127.0.0.1'): Promise<Ris> {
  const socket = connect(port, host);
  await once(socket, 'connect');
  const decoder = createMllpDecoder(16 * 1024 * 1024);
  const answers: string[] = [];
  const waiting: { resolve: (text: string) => void; reject: (error: Error) => void }[] = [];
  socket.on('data', (chunk: Buffer) => {
    for (const event of decoder.push(chunk)) {
      if (event.kind !== 'frame') continue;
      const text = event.bytes.toString('utf8');
      const next = waiting.shift();
      if (next === undefined) answers.push(text);
      else next.resolve(text);
    }
  });
  const fail = (error: Error): void => {
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  socket.on('error', fail);
  socket.on('close', () => {
    fail(new Error('the HL7 connection was closed before an answer'));
  });

  const answer = async (): Promise<string> => {
    const first = answers.shift();
    if (first !== undefined) return first;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    waiting.push({ resolve, reject });
    const timer = setTimeout(() => {
      reject(new Error('no acknowledgment in time'));
    }, ANSWER_TIMEOUT_MS);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    send(message) {
      socket.write(mllpFrame(Buffer.from(message.trim().replace(/\r?\n/g, '\r') + '\r', 'utf8')));
      return answer();
    },
    write: (bytes) => void socket.write(bytes),
    answer,
    async [Symbol.asyncDispose]() {
      if (socket.destroyed) return;
      const closed = once(socket, 'close');
      socket.end();
      const late = setTimeout(() => socket.destroy(), 2000);
      await closed;
      clearTimeout(late);
    },
  };
}
