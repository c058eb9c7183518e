import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { mllpFrame } from '../../hl7/rules/mllp.ts';
import { table } from '../../platform/rules/table.ts';
import { connectMany, connectSender } from '../support/mllp-sender.ts';
import { listening, run, type Run } from '../support/process.ts';
import { startRig, type Rig } from '../support/rig.ts';

const FRAME = 16 * 1024 * 1024;
const AT_ONCE = 4;

const head = (controlId: string, type: string, sender = 'RIS'): string =>
  `MSH|^~\\&|${sender}|CLINIC|AXIS|AXIS|20260401||${type}|${controlId}|P|2.5.1\rPID|||P1^^^CLINIC^MR||Doe^Jane\r`;
const fill = (one: string, bytes = FRAME - 1000): string => one.repeat(Math.floor(bytes / one.length));
const orders = (count: number): string =>
  Array.from({ length: count }, (_, at) => `ORC|NW|${at}\rOBR|${at}|||||||||||||||||H${at}\r`).join('');

/** What comes, how each of these is answered, and the frame of a control id. */
const HOSTILE: readonly (readonly [what: string, answer: 'AA' | 'AR', text: (controlId: string) => string])[] = [
  ['segments of four bytes', 'AR', (id) => head(id, 'ADT^A08') + fill('ZZZ\r')],
  ['segments of five bytes', 'AR', (id) => head(id, 'ADT^A08') + fill('ZZZ|\r')],
  ['repetitions', 'AR', (id) => `${head(id, 'ADT^A08')}PV1|${fill('~')}`],
  ['escapes', 'AR', (id) => `${head(id, 'ADT^A08')}PV1|${fill('\\X41\\')}`],
  [
    'fields, as many as may be',
    'AA',
    (id) => head(id, 'ADT^A08').replace('||Doe^Jane', `||Doe${'|a'.repeat(490_000)}`),
  ],
  ['orders, 9900', 'AR', (id) => head(id, 'ORM^O01') + orders(9900)],
  ['orders, as many as may be', 'AA', (id) => head(id, 'ORM^O01') + orders(500)],
  ['a message to an unknown sender’s name', 'AR', (id) => head(id, 'ADT^A08', 'NOBODY') + fill('ZZZ|\r')],
  ['an attachment of 12 MB', 'AA', (id) => `${head(id, 'ADT^A08')}OBX|1|ED|PDF||^^^Base64^${fill('QUJD')}\r`],
  ['an envelope of messages', 'AR', (id) => `BHS|^~\\&|RIS\r${fill(head(id, 'ADT^A08'))}`],
];

/** The most memory that the process ever had, in MB. Linux alone tells. */
function peakMb({ child }: Run): number {
  const status = readFileSync(`/proc/${child.pid ?? 'self'}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

/** Repeats `work` until `over`; gives how often, and the longest that it took, in ms. */
async function watched(over: () => boolean, work: (count: number) => Promise<void>) {
  let [count, longest] = [0, 0];
  while (!over()) {
    const began = performance.now();
    await work((count += 1));
    longest = Math.max(longest, performance.now() - began);
    await sleep(20);
  }
  return { count, longest: Math.round(longest) };
}

describe('hostile frames, four at once', () => {
  let rig: Rig;
  let sidecar: Run | undefined;
  before(async () => {
    rig = await startRig();
  });
  after(async () => {
    sidecar?.child.kill('SIGKILL');
    await rig[Symbol.asyncDispose]();
  });

  it('are each answered, and so are all others meanwhile', async () => {
    sidecar = run({ ...rig.environment, HL7_ALLOWED_SENDERS: 'RIS' });
    const running = sidecar;
    const { hl7Port, httpPort } = await listening(running);
    const rows: string[][] = [];
    let controlIds = 0;
    for (const [what, answer, text] of HOSTILE) {
      using hostile = await connectMany(AT_ONCE, hl7Port);
      using other = await connectSender(hl7Port);
      const frames = hostile.map((_, at) => mllpFrame(Buffer.from(text(`${rows.length}-${at}`))));
      let over = false;
      const began = performance.now();
      const answered = Promise.all(
        hostile.map(async (sender, at) => {
          await sender.write(frames[at] ?? '');
          return sender.answers(1, 60_000);
        }),
      ).finally(() => (over = true));
      const [acks, health, sender] = await Promise.all([
        answered,
        watched(
          () => over,
          async () => {
            expect((await fetch(`http://127.0.0.1:${httpPort}/healthz`)).status).to.equal(200);
          },
        ),
        watched(
          () => over,
          async (count) => {
            await other.write(mllpFrame(Buffer.from(head(`s${(controlIds += 1)}`, 'ADT^A08'))));
            expect((await other.answers(count, 60_000)).at(-1)).to.contain(`MSA|AA|s${controlIds}`);
          },
        ),
      ]);
      const took = Math.round(performance.now() - began);
      expect(
        acks.map(([ack]) => /\rMSA\|(\w\w)/.exec(ack ?? '')?.[1]),
        what,
      ).to.deep.equal(Array(AT_ONCE).fill(answer));
      expect(running.child.exitCode).to.equal(null);
      rows.push([what, ...[took, health.longest, sender.longest, peakMb(running)].map(String)]);
    }
    const titles = [
      'four at once',
      'all answered (ms)',
      'health waited (ms)',
      'another sender waited (ms)',
      'peak (MB)',
    ];
    process.stdout.write(`${table(titles, rows)}\n`);
  }).timeout(300_000);
});
