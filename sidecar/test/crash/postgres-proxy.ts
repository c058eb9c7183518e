import type { Conductor, Step } from './conductor.ts';
import type { Watcher } from './socket-proxy.ts';
import { completesJob, isLook, sqlName, taskOfRow, writes } from './step-names.ts';

/** Bytes cut into messages (PostgreSQL manual, "Message Formats"): a type of one byte, but for the first, and a length. */
function createCutter(startsWithLength: boolean): (chunk: Buffer) => { type: string; bytes: Buffer; body: Buffer }[] {
  let rest = Buffer.alloc(0);
  let untyped = startsWithLength;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const messages = [];
    for (;;) {
      const head = untyped ? 0 : 1;
      if (rest.length < head + 4) return messages;
      const size = head + rest.readInt32BE(head);
      if (rest.length < size) return messages;
      const bytes = rest.subarray(0, size);
      const type = untyped ? '' : String.fromCharCode(bytes.readUInt8(0));
      messages.push({ type, bytes, body: bytes.subarray(head + 4) });
      rest = rest.subarray(size);
      untyped = false;
    }
  };
}

/** The texts that a message begins with, each ended by a zero. */
function texts(body: Buffer, count: number): string[] {
  return body.toString('utf8').split('\0', count);
}

/** The first value of a Bind message after its two names, as text. */
function firstValue(body: Buffer): string {
  let at = body.indexOf(0, body.indexOf(0) + 1) + 1;
  at += 2 + 2 * body.readInt16BE(at);
  if (body.readInt16BE(at) === 0) return '';
  const length = body.readInt32BE(at + 2);
  return length < 0 ? '' : body.toString('utf8', at + 6, at + 6 + length);
}

/** The first column of a DataRow message, as text. */
function firstColumn(body: Buffer): string {
  const length = body.readInt32BE(2);
  return length < 0 ? '' : body.toString('utf8', 6, 6 + length);
}

interface Running {
  /** `null` while only the answer can tell whether it is one. */
  readonly step: Step | null;
  row: Buffer | undefined;
  readonly held: Buffer[];
}

/**
 * Before Postgres: every statement is a step, named by what it does to which table, a commit by the first write of its
 * transaction, what the job queue does by the task. `tasks` are those of jobs by id, shared by all connections.
 */
export function watchPostgres(conductor: Conductor, tasks: Map<string, string>): Watcher {
  const [cutRequests, cutAnswers] = [createCutter(true), createCutter(false)];
  const statements = new Map<string, string>();
  const running: Running[] = [];
  let unit: Buffer[] = [];
  let sql = '';
  let value = '';
  let inTransaction = false;
  let firstWrite = '';

  const stepOf = (): Step | null => {
    if (isLook(sql)) return null;
    const named = completesJob(sql) ? `complete job ${tasks.get(value) ?? ''}` : sqlName(sql);
    if (/^COMMIT/i.test(named)) {
      return { name: `postgres: COMMIT of ${firstWrite || 'nothing'}`, lasts: firstWrite !== '', inTransaction: false };
    }
    if (writes(named) && firstWrite === '') firstWrite = named;
    return { name: `postgres: ${named}`, lasts: writes(named) && !inTransaction, inTransaction };
  };
  const ask = (forward: (bytes: Buffer) => void): void => {
    const step = stepOf();
    const bytes = Buffer.concat(unit);
    unit = [];
    if (step !== null && !conductor.asked(step)) return;
    running.push({ step, row: undefined, held: [] });
    forward(bytes);
  };
  /** False: the answer must not be delivered. */
  const answered = ({ step, row }: Running): boolean => {
    if (step !== null) return conductor.answered(step);
    const task = row && taskOfRow(row.toString('utf8'));
    if (row === undefined || task === undefined) return true;
    tasks.set(firstColumn(row), task);
    return conductor.answered({ name: `postgres: take job ${task}`, lasts: true, inTransaction: false }, true);
  };
  return {
    fromClient(chunk, forward) {
      for (const { type, bytes, body } of cutRequests(chunk)) {
        if (type === 'P') {
          const [name = '', text = ''] = texts(body, 2);
          statements.set(name, text);
        }
        if (type === 'B') {
          sql = statements.get(texts(body, 2)[1] ?? '') ?? '';
          value = firstValue(body);
        }
        if (type === 'Q') [sql = ''] = texts(body, 1);
        if ('PBDECH'.includes(type) && type !== '') unit.push(bytes);
        else if (type === 'Q' || type === 'S') {
          unit.push(bytes);
          ask(forward);
        } else forward(bytes);
      }
    },
    fromServer(chunk, forward) {
      for (const { type, bytes, body } of cutAnswers(chunk)) {
        const [current] = running;
        if (current === undefined) {
          forward(bytes);
          continue;
        }
        if (type === 'D') current.row ??= body;
        current.held.push(bytes);
        if (type !== 'Z') continue;
        running.shift();
        inTransaction = body.toString('latin1') !== 'I';
        if (!inTransaction) firstWrite = '';
        if (!answered(current)) return;
        forward(Buffer.concat(current.held));
      }
    },
  };
}
