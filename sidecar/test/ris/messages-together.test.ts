import { expect } from 'chai';
import fc from 'fast-check';
import { readFrame } from '../../hl7/io/listener.ts';
import { adt, merge, orm, oru, type RisPatient } from '../../dev/ris-messages.ts';
import type { InboundMessage } from '../../ris/flows/receive.ts';
import { allTables } from '../support/all-tables.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { emptyTables, NOW, playEvent, type Episode } from '../support/episode.ts';

const RUNS = Number(process.env['TOGETHER_RUNS'] ?? 40);

const PATIENTS: readonly RisPatient[] = [
  { id: 'P1', name: 'DOE^JANE', birthDate: '19800203', sex: 'F', phone: '0412345678^PRN^CP' },
  { id: 'P1', name: 'DOE^JANE', birthDate: '19800203', phone: '0498765432^PRN^CP' },
  { id: 'p1', issuer: '', name: 'DOE^JANE', birthDate: '19800203', phone: '""' },
  { id: 'P2', name: 'ROE^RICHARD', birthDate: '19800203', phone: '0412345678^PRN^CP' },
  { id: 'P3', name: 'NGUYEN^ANNA', birthDate: '19551231' },
  // Longer than any index takes: it can be read and never be stored.
  { id: Array.from({ length: 900 }, (_, at) => (at * 7919 * 104729).toString(36)).join(''), name: 'LONG^ID' },
];

/** Images that are there before any message, so that what they say is decided on. */
const IMAGES: Episode = {
  why: '',
  patients: { P1: { id: 'P1', name: 'DOE^JANE', birthDate: '19800203' }, P2: { id: 'P2', name: 'ROE^RICHARD' } },
  events: [
    ['1.1', 'P1', 'A1'],
    ['1.2', 'P1', ''],
    ['1.3', 'P2', 'A2'],
  ].map(([study = '', patient, accession = '']) => ({
    images: {
      study,
      series: '1',
      first: 1,
      count: 1,
      modality: 'CT',
      patient,
      tags: { AccessionNumber: accession },
      requested: [],
      unsaid: false,
    },
  })),
  expected: [],
};

const patient = fc.nat(PATIENTS.length - 1);
const accession = fc.constantFrom('A1', 'a1', 'A2', 'A3');
/** Minutes before now; the same for several says that order alone decides. */
const minutes = fc.nat(4);
const KIND = fc.oneof(
  fc.record({
    kind: fc.constant('order' as const),
    patient,
    accession,
    minutes,
    control: fc.constantFrom('NW', 'CA', 'XO'),
  }),
  fc.record({
    kind: fc.constant('report' as const),
    patient,
    accession,
    minutes,
    status: fc.constantFrom('P', 'F', 'C', 'X'),
  }),
  fc.record({ kind: fc.constant('adt' as const), patient, minutes }),
  fc.record({ kind: fc.constant('merge' as const), patient, prior: patient, minutes }),
  fc.record({ kind: fc.constant('bad' as const), text: fc.constantFrom('type', 'test', 'nothing', 'no-patient') }),
  fc.record({ kind: fc.constant('again' as const), back: fc.nat(5) }),
);
type Kind = typeof KIND extends fc.Arbitrary<infer T> ? T : never;

function textOf(said: Exclude<Kind, { kind: 'again' }>, index: number): string {
  const controlId = `T${index}`;
  if (said.kind === 'bad') {
    const order = orm(
      { now: NOW, controlId },
      { id: 'P9', name: 'TEST^ONE' },
      {
        ...{ accessionNumber: 'A9', modality: 'CT', procedure: 'CT', scheduled: '202607140900' },
      },
    );
    if (said.text === 'type') return order.replace('ORM^O01', 'MDM^T02');
    if (said.text === 'test') return order.replace('|P|2.5.1', '|T|2.5.1');
    return said.text === 'nothing' ? `nothing ${controlId}` : order.replace(/\rPID[^\r]*/, '');
  }
  const who = (at: number): RisPatient => PATIENTS[at] ?? { id: '', name: '' };
  const head = { now: new Date(NOW.getTime() - said.minutes * 60_000), controlId };
  if (said.kind === 'adt') return adt('A08', head, who(said.patient));
  if (said.kind === 'merge') return merge(head, who(said.patient), who(said.prior));
  const about = { accessionNumber: said.accession, modality: 'CT', procedure: 'CT HEAD' };
  if (said.kind === 'order') {
    return orm(head, who(said.patient), { ...about, scheduled: '202607140900', control: said.control });
  }
  const lines = [`report ${index}`];
  return oru(head, who(said.patient), { ...about, status: said.status, lines, reported: '202607141500' });
}

function inboundOf(said: readonly Kind[]): InboundMessage[] {
  const texts: string[] = [];
  for (const [index, one] of said.entries()) {
    texts.push(
      one.kind === 'again'
        ? (texts.at(-1 - one.back) ?? textOf({ kind: 'bad', text: 'test' }, index))
        : textOf(one, index),
    );
  }
  return texts.map((text) => {
    const raw = Buffer.from(`${text}\r`);
    return { raw, ...readFrame(raw), remoteAddress: '127.0.0.1' };
  });
}

const verdict = (ack: string): string => ack.slice(ack.indexOf('MSA'));

describe('messages taken together', () => {
  let test: TestDatabase;
  before(async () => {
    test = await startDatabase();
  });
  after(() => test[Symbol.asyncDispose]());

  const begin = async (): Promise<void> => {
    await emptyTables(test.db);
    await test.db.raw('DELETE FROM graphile_worker._private_jobs');
    for (const index of IMAGES.events.keys()) await playEvent(test.db, test.operations, IMAGES, index);
  };
  /** Takes these in groups of those sizes, the rest in one; gives the answers and what is in the tables then. */
  const take = async (messages: readonly InboundMessage[], sizes: readonly number[]) => {
    await begin();
    const answers: string[] = [];
    for (const size of [...sizes, messages.length]) {
      const group = messages.slice(answers.length, answers.length + size);
      if (group.length > 0) answers.push(...(await test.operations.receiveTogether(group)));
    }
    return { answers: answers.map(verdict), tables: await allTables(test.db) };
  };

  it('leave and answer what they do one by one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(KIND, { minLength: 2, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 3 }),
        async (said, sizes) => {
          const messages = inboundOf(said);
          const alone = await take(
            messages,
            messages.map(() => 1),
          );
          expect(await take(messages, sizes)).to.deep.equal(alone);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('keep an answer of their own where one can never be stored', async () => {
    const order = { kind: 'order', accession: 'A1', minutes: 1, control: 'NW' } as const;
    const messages = inboundOf([
      { ...order, patient: 0 },
      { ...order, patient: 5 },
      { ...order, patient: 3, accession: 'A2' },
    ]);
    const { answers } = await take([...messages, ...messages], []);
    const expected = [/^MSA\|AA\|T0/, /^MSA\|AR\|T1\|cannot be stored: postgres-54000/, /^MSA\|AA\|T2/];
    for (const [index, answer] of answers.entries()) expect(answer).to.match(expected[index % 3] ?? /never/);
    expect(answers).to.have.length(6);
  });
});
