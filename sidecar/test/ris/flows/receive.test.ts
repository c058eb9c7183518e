import { expect } from 'chai';
import { Failure } from '../../../platform/rules/failure.ts';
import { component, segment } from '../../../hl7/rules/message.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import type { Envelope, Outcome } from '../../../ris/rules/kept-message.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';
import { receiveMessages } from '../../../ris/flows/receive.ts';

interface Kept {
  readonly envelope: Envelope;
  readonly outcome: Outcome;
}

/** Receives this message with flows that only say their name. */
async function receive(
  text: string,
  problem: string | null = null,
): Promise<{ ack: string; kept: Kept[]; applied: string[]; refused: object[]; tests: object[]; ignored: object[] }> {
  const refused: object[] = [];
  const tests: object[] = [];
  const ignored: object[] = [];
  const kept: Kept[] = [];
  const applied: string[] = [];
  const read = (name: string) => () => {
    applied.push(name);
    return { saidAt: new Date(0), patients: [], merges: [], orders: [], reports: [], warnings: [] };
  };
  const tx = {
    lockLinking: () => Promise.resolve(),
    lookUp: (envelopes: readonly Envelope[]) =>
      Promise.resolve({
        frames: envelopes.map((_, index) => ({ id: String(index + 1), acknowledgment: null })),
        known: { ids: new Map(), patients: [], merges: [], patientFacts: [], studies: [], studyFacts: [] },
      }),
  };
  const [ack = ''] = await receiveMessages(
    {
      transaction: (work) => work(tx),
      read: { order: read('order'), report: read('report'), patient: read('patient'), ignored: read('ignored') },
      ignoredTypes: new Set(['ADT^A03', 'SIU^S14']),
      keep: (_tx, messages) => {
        kept.push(...messages);
        return Promise.resolve();
      },
      contentHash: () => 'hash',
      newControlId: () => 'new',
      now: () => new Date('2026-04-01T00:00:00Z'),
      onRefused: (what) => {
        refused.push(what);
      },
      onTest: (what) => {
        tests.push(what);
      },
      onIgnored: (what) => {
        ignored.push(what);
      },
    },
    [{ raw: Buffer.from(text), message: parseHl7(text), problem, remoteAddress: '127.0.0.1' }],
  );
  return { ack, kept, applied, refused, tests, ignored };
}

const msh = (fields: Readonly<Record<number, string>>, encoding = '^~\\&') =>
  ['MSH', encoding, ...Array.from({ length: 10 }, (_, at) => fields[at + 3] ?? '')].join('|');

describe('receiving a message', () => {
  for (const [type, flow] of [
    ['ORM^O01', 'order'],
    ['ORM', 'order'],
    ['OMI^O23^OMI_O23', 'order'],
    ['OMG^O19', 'order'],
    ['ORU^R01', 'report'],
    ['ORU', 'report'],
    ['ADT^A08', 'patient'],
    ['ADT', 'patient'],
  ] as const) {
    it(`gives ${type} to the flow of a ${flow}`, async () => {
      expect((await receive(msh({ 9: type, 10: '1' }))).applied).to.deep.equal([flow]);
    });
  }

  it('tells the log nothing of a kind or control id that looks like no such thing', async () => {
    const { refused } = await receive(msh({ 9: 'DOE^JANE LOGTEST', 10: 'LEAK DOE JANE' }));
    expect(refused).to.deep.equal([{ controlId: '(unusual)', messageType: '(unusual)', answer: 'AR', code: '200' }]);
    const usual = await receive(msh({ 9: 'SIU^S12', 10: 'M17.2' }));
    expect(usual.refused).to.deep.equal([{ controlId: 'M17.2', messageType: 'SIU^S12', answer: 'AR', code: '200' }]);
  });

  for (const name of [
    'DOE-JANE',
    'DOE_JANE',
    'DOE.JANE',
    'Doe',
    'DOE-1980',
    'DOE-JANE-19800203',
    'JANE1980',
    'JANE80DOE',
  ]) {
    it(`tells the log nothing of the control id ${name}, which may be a name`, async () => {
      const { refused } = await receive(msh({ 9: 'SIU^S12', 10: name }));
      expect(refused).to.deep.equal([{ controlId: '(unusual)', messageType: 'SIU^S12', answer: 'AR', code: '200' }]);
    });
  }

  for (const usual of [
    '42',
    'MSG00001',
    'Q123456789T987654X',
    '20260401.120000-17',
    '5f1c9d3e-beef-4c1a-9abc-def012345678',
  ]) {
    it(`tells the log the control id ${usual}`, async () => {
      const { refused } = await receive(msh({ 9: 'SIU^S12', 10: usual }));
      expect(refused).to.deep.include.members([
        { controlId: usual, messageType: 'SIU^S12', answer: 'AR', code: '200' },
      ]);
    });
  }

  it('keeps a message that could not be read whole with its reason, and applies nothing of it', async () => {
    const problem = 'larger than the 5000 bytes that are taken';
    const { ack, kept, applied } = await receive(msh({ 9: 'ORU^R01', 10: '7' }), problem);
    expect(ack).to.contain(`MSA|AR|7|${problem}`);
    expect(kept.map(({ outcome }) => [outcome.answer, outcome.reason])).to.deep.equal([['AR', problem]]);
    expect(applied).to.deep.equal([]);
  });

  it('refuses kinds and events that are not taken, and a message without a control id', async () => {
    for (const [fields, error] of [
      [{ 9: 'SIU^S12', 10: '1' }, 'MSH^1^9|200'],
      [{ 9: 'ORU^R30', 10: '1' }, 'MSH^1^9|201'],
      [{ 9: 'OMI', 10: '1' }, 'MSH^1^9|201'],
      [{ 9: 'ORM^O01' }, 'MSH^1^10|101'],
    ] as const) {
      const { ack, applied } = await receive(msh(fields));
      expect(ack).to.contain('\rMSA|AR|').and.to.contain(`ERR||${error}`);
      expect(applied).to.deep.equal([]);
    }
  });

  it('keeps a test message (MSH-11 T) with AA, applies nothing of it, and says so', async () => {
    for (const id of ['T', 'T^T', 't']) {
      const { ack, kept, applied, tests } = await receive(msh({ 9: 'ORU^R01', 10: '9', 11: id }));
      expect(ack, id).to.contain('\rMSA|AA|9\r');
      expect(kept.map(({ outcome }) => outcome.answer)).to.deep.equal(['AA']);
      expect(applied).to.deep.equal([]);
      expect(tests).to.deep.equal([{ controlId: '9', messageType: 'ORU^R01' }]);
    }
  });

  it('keeps one of an ignored type with AA and says so; a test of it is a test', async () => {
    const { ack, kept, applied, ignored, tests } = await receive(msh({ 9: 'ADT^A03', 10: '9' }));
    expect(ack).to.contain('\rMSA|AA|9\r');
    expect(kept.map(({ outcome }) => [outcome.answer, outcome.ignored])).to.deep.equal([['AA', true]]);
    expect([applied, tests]).to.deep.equal([['ignored'], []]);
    expect(ignored).to.deep.equal([{ controlId: '9', messageType: 'ADT^A03' }]);
    const test = await receive(msh({ 9: 'SIU^S14', 10: '9', 11: 'T' }));
    expect([test.applied, test.ignored, test.tests.length]).to.deep.equal([[], [], 1]);
    expect(test.kept.map(({ outcome }) => [outcome.answer, outcome.ignored])).to.deep.equal([['AA', false]]);
  });

  it('judges a test message like any other', async () => {
    const { ack, tests } = await receive(msh({ 9: 'SIU^S12', 10: '1', 11: 'T' }));
    expect(ack).to.contain('\rMSA|AR|').and.to.contain('ERR||MSH^1^9|200');
    expect(tests).to.deep.equal([]);
  });

  it('refuses a debugging message (MSH-11 D), and takes one that says nothing or something else', async () => {
    const { ack, kept, applied } = await receive(msh({ 9: 'ORM^O01', 10: '1', 11: 'D' }));
    expect(ack).to.contain('\rMSA|AR|').and.to.contain('ERR||MSH^1^11|202');
    expect(kept.map(({ outcome }) => outcome.answer)).to.deep.equal(['AR']);
    expect(applied).to.deep.equal([]);
    for (const id of ['', 'P', 'P^T', 'X']) {
      expect((await receive(msh({ 9: 'ORM^O01', 10: '1', 11: id }))).applied, id).to.deep.equal(['order']);
    }
  });

  it('refuses a sender or control id that is too long for good, and keeps it, cut', async () => {
    for (const field of [3, 4, 10]) {
      const long = `${'x'.repeat(199)}\u{1f600}${'y'.repeat(3000)}`;
      const { ack, kept, applied } = await receive(msh({ 3: 'RIS', 9: 'ORM^O01', 10: '1', [field]: long }));
      expect(ack).to.contain('\rMSA|AR|').and.to.contain(`ERR||MSH^1^${field}|102`);
      expect(applied).to.deep.equal([]);
      const [one] = kept;
      const { sendingApplication = '', sendingFacility = '', controlId = '' } = one?.envelope ?? {};
      const stored = { 3: sendingApplication, 4: sendingFacility, 10: controlId }[field] ?? '';
      expect(stored).to.have.length(200);
      expect(stored.isWellFormed()).to.equal(true);
      expect(one?.outcome.answer).to.equal('AR');
    }
    expect((await receive(msh({ 9: 'ORM^O01', 10: 'x'.repeat(200) }))).applied).to.deep.equal(['order']);
  });

  it('answers by the whole control id, also one with a bare separator in it', async () => {
    const { ack, kept } = await receive(msh({ 9: 'ORM^O01', 10: 'A&B' }));
    expect(component(segment(parseHl7(ack), 'MSA'), 2)).to.equal('A&B');
    expect(kept[0]?.envelope.controlId).to.equal('A&B');
  });
});

describe('receiving several messages together', () => {
  const inbound = (controlId: string, type = 'ORM^O01') => {
    const text = msh({ 3: 'RIS', 9: type, 10: controlId });
    return { raw: Buffer.from(text), message: parseHl7(text), problem: null, remoteAddress: '127.0.0.1' };
  };

  /** Receives these; `commit` is told the control ids that each transaction keeps, before it ends. */
  async function together(messages: readonly ReturnType<typeof inbound>[], commit: (ids: string) => void) {
    const [refused, transactions]: [string[], string[]] = [[], []];
    const known = { ids: new Map(), patients: [], merges: [], patientFacts: [], studies: [], studyFacts: [] };
    let kept: string[] = [];
    const tx = {
      lockLinking: () => Promise.resolve(),
      lookUp: (envelopes: readonly Envelope[]) =>
        Promise.resolve({ frames: envelopes.map((_, index) => ({ id: String(index), acknowledgment: null })), known }),
    };
    const acks = await receiveMessages(
      {
        transaction: async (work) => {
          const result = await work(tx);
          transactions.push(kept.join(' '));
          commit(kept.join(' '));
          return result;
        },
        read: {
          order: () => ({ saidAt: new Date(0), patients: [], merges: [], orders: [], reports: [], warnings: [] }),
          report: () => {
            throw new TypeError('nobody foresaw this');
          },
          patient: () => {
            throw new Hl7Rejection(101, 'never');
          },
          ignored: () => {
            throw new TypeError('nobody foresaw this either');
          },
        },
        keep: (_tx, outcomes) => {
          kept = outcomes.map(({ envelope, outcome }) => `${outcome.answer}${envelope.controlId}`);
          return Promise.resolve();
        },
        contentHash: (raw) => raw.toString('hex'),
        newControlId: () => 'new',
        now: () => new Date('2026-04-01T00:00:00Z'),
        onRefused: ({ controlId, answer, code }) => void refused.push(`${answer} ${controlId} ${code}`),
        onTest: () => undefined,
        onIgnored: () => undefined,
        ignoredTypes: new Set(),
      },
      messages,
    );
    return { acks: acks.map((ack) => /MSA\|(A.)\|(\w*)/.exec(ack)?.slice(1).join('')), refused, transactions };
  }

  const MESSAGES = [inbound('1'), inbound('2', 'ORU^R01'), inbound('3', 'ADT^A08'), inbound('1'), inbound('4')];

  it('keeps all in one transaction, one that came twice once; what nobody foresaw of one is AE for it alone', async () => {
    const { acks, refused, transactions } = await together(MESSAGES, () => undefined);
    expect(acks).to.deep.equal(['AA1', 'AE2', 'AR3', 'AA1', 'AA4']);
    expect(transactions).to.deep.equal(['AA1 AR3 AA4']);
    expect(refused).to.have.members(['AR 3 101', 'AE 2 unexpected']);
  });

  it('answers AE to all, and tells each once, where what failed may pass', async () => {
    const away = (): never => {
      throw new Failure('transient', 'away', 'the database is away');
    };
    const { acks, refused, transactions } = await together(MESSAGES, away);
    expect(acks).to.deep.equal(['AE1', 'AE2', 'AE3', 'AE1', 'AE4']);
    expect(transactions).to.have.length(1);
    expect(refused).to.have.members(['AE 1 away', 'AE 2 unexpected', 'AE 3 away', 'AE 1 away', 'AE 4 away']);
  });

  for (const kind of ['permanent', 'unexpected'] as const) {
    it(`takes each alone where one fails the others for good (${kind})`, async () => {
      const { acks, refused, transactions } = await together([inbound('1'), inbound('5'), inbound('4')], (ids) => {
        if (!ids.includes('AA5')) return;
        throw kind === 'permanent' ? new Failure('permanent', 'too-long', 'too long') : new TypeError('a bug');
      });
      expect(acks).to.deep.equal(['AA1', kind === 'permanent' ? 'AR5' : 'AE5', 'AA4']);
      const refusal = kind === 'permanent' ? ['AR5'] : [];
      expect(transactions).to.deep.equal(['AA1 AA5 AA4', 'AA1', 'AA5', ...refusal, 'AA4']);
      expect(refused).to.deep.equal([kind === 'permanent' ? 'AR 5 207' : 'AE 5 unexpected']);
    });
  }
});
