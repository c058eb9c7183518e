import { expect } from 'chai';
import pg from 'pg';
import { z } from 'zod';
import { query } from '../../platform/postgres/query.ts';
import { mllpFrame } from '../../hl7/rules/mllp.ts';
import { startPostgres } from '../../dev/postgres-process.ts';
import { startTcpProxy } from '../../dev/tcp-proxy.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { listen, verdict } from '../support/hl7-listener.ts';
import { connectSender, pause } from '../support/mllp-sender.ts';
import { eventually } from '../support/rig.ts';

const frame = (controlId: number, padding = ''): Buffer =>
  mllpFrame(
    Buffer.from(
      `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401120000||ADT^A08|${controlId}|P|2.5.1\r` +
        `PID|||P${controlId}^^^CLINIC^MR||Doe^Jane\rZZZ|${padding}\r`,
    ),
  );
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const verdicts = (acks: readonly string[]): string[] => acks.map(verdict);

/** What is kept of the messages, and the patients that came of them. */
async function kept({ db }: TestDatabase): Promise<{ answers: string[]; patients: number }> {
  const sql = 'SELECT control_id, answer FROM hl7_messages ORDER BY control_id::int';
  const rows = await query(db, sql, {}, z.object({ control_id: z.string(), answer: z.string() }));
  const [count] = await query(db, 'SELECT count(*)::int AS n FROM patients', {}, z.object({ n: z.number() }));
  return { answers: rows.map((row) => `${row.answer} ${row.control_id}`), patients: count?.n ?? 0 };
}

/** Locks a table against everybody until disposed of. */
async function lock(url: string, table: string): Promise<AsyncDisposable> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  return { [Symbol.asyncDispose]: () => client.end() };
}

describe('HL7 listener and Postgres', () => {
  it('answers 500 connections at once, each AA for its own message, after that is committed', async () => {
    await using database = await startDatabase();
    await using server = await listen({
      handle: database.operations.receive,
      maxConnections: 500,
      answerTimeoutMs: 50_000,
    });
    const senders = await Promise.all(numbers(500).map(() => connectSender(server.port)));
    await Promise.all(senders.map((sender, index) => sender.write(frame(index + 1))));
    const acks = await Promise.all(senders.map((sender) => sender.answers(1, 55_000)));
    const expected = numbers(500).map((number) => `AA ${number}`);
    expect(acks.map(verdicts)).to.deep.equal(expected.map((one) => [one]));
    expect(await kept(database)).to.deep.equal({ answers: expected, patients: 500 });
    for (const sender of senders) sender[Symbol.dispose]();
  });

  it('does not let a sender that sends byte by byte hold up another', async () => {
    await using database = await startDatabase();
    await using server = await listen({ handle: database.operations.receive });
    using slow = await connectSender(server.port);
    using other = await connectSender(server.port);
    const bytes = frame(1);
    await slow.write(bytes.subarray(0, -20));
    for (let at = bytes.length - 20, number = 2; at < bytes.length; at += 1, number += 1) {
      await other.write(frame(number));
      await other.answers(number - 1);
      expect(slow.frames).to.deep.equal([]);
      await slow.write(bytes.subarray(at, at + 1));
    }
    expect(verdicts(await slow.answers(1))).to.deep.equal(['AA 1']);
    expect(verdicts(other.frames)).to.deep.equal(numbers(20).map((number) => `AA ${number + 1}`));
  });

  for (const [where, rest] of [
    ['after an answer', Buffer.of()],
    ['in the middle of a message', frame(2).subarray(0, 40)],
    ['while it waits for an answer', frame(2)],
  ] as const) {
    it(`closes the connection of a sender that vanishes without a word ${where}`, async () => {
      await using server = await listen({ maxConnections: 1, idleTimeoutMs: 300, frameTimeoutMs: 300 });
      await using proxy = await startTcpProxy({ port: server.port });
      using vanishing = await connectSender(proxy.port);
      await vanishing.write(frame(1));
      await vanishing.answers(1);
      await vanishing.write(rest);
      await pause(5);
      proxy.silence();
      vanishing.socket.destroy();
      using refused = await connectSender(server.port);
      await refused.untilClosed();
      await eventually('room for another connection', async () => {
        using next = await connectSender(server.port);
        await next.write(frame(3));
        return await next.answers(1).then(
          (acks) => verdicts(acks)[0] === 'AA 3',
          () => false,
        );
      });
      expect(server.listener.heldBytes).to.equal(0);
    });
  }

  it('makes a sender wait while Postgres does, and then answers all it sent, in order', async () => {
    await using database = await startDatabase();
    await using server = await listen({
      handle: database.operations.receive,
      maxFrameBytes: 1_000_000,
      answerTimeoutMs: 30_000,
    });
    using sender = await connectSender(server.port);
    using other = await connectSender(server.port);
    const count = 60;
    {
      await using locked = await lock(database.url, 'hl7_messages');
      for (const number of numbers(count)) sender.socket.write(frame(number, 'x'.repeat(400_000)));
      let unsent = -1;
      await eventually('the sender to stand still', async () => {
        const before = unsent;
        unsent = sender.socket.writableLength;
        await pause(200);
        return unsent === before;
      });
      expect(unsent).to.be.greaterThan(8_000_000);
      expect(server.listener.heldBytes).to.be.within(1_000_000, 1_700_000);
      await other.write(frame(count + 1));
      expect([...sender.frames, ...other.frames]).to.deep.equal([]);
      await locked[Symbol.asyncDispose]();
    }
    const expected = numbers(count + 1).map((number) => `AA ${number}`);
    expect(verdicts(await sender.answers(count, 30_000))).to.deep.equal(expected.slice(0, -1));
    expect(verdicts(await other.answers(1))).to.deep.equal(expected.slice(-1));
    expect(await kept(database)).to.deep.equal({ answers: expected, patients: count + 1 });
    expect(server.listener.heldBytes).to.equal(0);
  });

  it('answers AE, never AA, while Postgres is down, and AA to what is sent again, with one effect', async () => {
    await using postgres = await startPostgres();
    await using database = await startDatabase(await postgres.createDatabase());
    await using server = await listen({ handle: database.operations.receive, answerTimeoutMs: 10_000 });
    using sender = await connectSender(server.port);
    await sender.write(frame(1));
    await sender.answers(1);

    await using locked = await lock(database.url, 'patients');
    await sender.write(frame(2));
    await pause(100);
    expect(sender.frames).to.have.length(1);
    await postgres.stop('SIGQUIT');
    await sender.answers(2, 10_000);
    await locked[Symbol.asyncDispose]();
    await sender.write(Buffer.concat([frame(3), frame(1)]));
    const down = ['AA 1', 'AE 2', 'AE 3', 'AE 1'];
    expect(verdicts(await sender.answers(4, 10_000))).to.deep.equal(down);

    await postgres.start();
    await sender.write(Buffer.concat(numbers(3).map((number) => frame(number))));
    const again = numbers(3).map((number) => `AA ${number}`);
    expect(verdicts(await sender.answers(7, 10_000))).to.deep.equal([...down, ...again]);
    expect(await kept(database)).to.deep.equal({ answers: again, patients: 3 });
  });

  it('answers AE where Postgres does not answer in time, and AA once it is known to be committed, with one effect', async () => {
    await using origin = await startDatabase();
    const url = new URL(origin.url);
    await using proxy = await startTcpProxy({ port: Number(url.port) });
    url.port = String(proxy.port);
    await using database = await startDatabase(url.href);
    await using server = await listen({ handle: database.operations.receive, answerTimeoutMs: 200 });
    using sender = await connectSender(server.port);
    await sender.write(frame(1));
    await sender.answers(1);
    proxy.delay(600);
    await sender.write(frame(2));
    expect(verdicts(await sender.answers(2))).to.deep.equal(['AA 1', 'AE 2']);
    await eventually('what was slow to be done', () => Promise.resolve(server.listener.heldBytes === 0));
    expect(await kept(origin)).to.deep.equal({ answers: ['AA 1', 'AA 2'], patients: 2 });
    await sender.write(frame(2));
    expect(verdicts(await sender.answers(3))).to.deep.equal(['AA 1', 'AE 2', 'AA 2']);
    expect(await kept(origin)).to.deep.equal({ answers: ['AA 1', 'AA 2'], patients: 2 });
  });
});
