import { once } from 'node:events';
import { expect } from 'chai';
import { component, segment } from '../../../hl7/rules/message.ts';
import { mllpFrame } from '../../../hl7/rules/mllp.ts';
import { createAuthority } from '../../support/certificates.ts';
import { acknowledge, listen, verdict } from '../../support/hl7-listener.ts';
import { connectSender, pause } from '../../support/mllp-sender.ts';
import { tlsFolder } from '../../support/tls-folder.ts';

const adt = (controlId: number, asked = ''): string =>
  `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|${controlId}|P|2.5.1|||${asked}\rPID|||P1||Doe^Jane\r`;
const frame = (controlId: number, asked?: string): Buffer => mllpFrame(Buffer.from(adt(controlId, asked)));
const withoutEnd = (controlId: number): Buffer => frame(controlId).subarray(0, -1);
/** MSA-1 and MSA-2 of each acknowledgment in a text. */
const verdictsIn = (text = ''): string[] =>
  [...text.matchAll(/\rMSA\|(\w*)\|(\w*)/g)].map(([, code = '', id = '']) => `${code} ${id}`);

describe('HL7 listener: how frames and connections end', () => {
  it('answers a frame that ends with 1C alone, and the one after it', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    await sender.write(withoutEnd(1));
    expect((await sender.answers(1)).map(verdict)).to.deep.equal(['AA 1']);
    await sender.write('\r');
    await sender.write(Buffer.concat([withoutEnd(2), withoutEnd(3)]));
    expect((await sender.answers(3)).map(verdict)).to.deep.equal(['AA 1', 'AA 2', 'AA 3']);
    expect(server.warnings).to.deep.equal([]);
  });

  it('keeps a 1C of the message itself where its rest comes soon', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    const bytes = mllpFrame(Buffer.from(adt(1).replace('Doe', 'D\x1ce')));
    await sender.write(bytes.subarray(0, bytes.indexOf(0x1c) + 1));
    await pause(30);
    await sender.write(bytes.subarray(bytes.indexOf(0x1c) + 1));
    await sender.answers(1);
    expect(server.inbound[0]?.raw.includes(0x1c)).to.equal(true);
  });

  for (const [what, last] of [
    ['ended as it should be', frame(2)],
    ['ended by 1C alone', withoutEnd(2)],
  ] as const) {
    it(`answers what came, ${what}, before it closes a connection whose sender has ended its half`, async () => {
      await using server = await listen({
        handle: async (inbound) => {
          await pause(50);
          return acknowledge(inbound);
        },
      });
      using sender = await connectSender(server.port);
      sender.socket.end(Buffer.concat([frame(1), last]));
      await sender.untilClosed();
      expect(sender.frames.map(verdict)).to.deep.equal(['AA 1', 'AA 2']);
      expect(server.listener.heldBytes).to.equal(0);
    });
  }

  it('closes at once a connection that is ended without a frame, or within one', async () => {
    await using server = await listen();
    for (const bytes of ['', '\r', frame(1).subarray(0, 20)]) {
      using sender = await connectSender(server.port);
      sender.socket.end(bytes);
      await sender.untilClosed(1000);
      expect(sender.frames).to.deep.equal([]);
    }
    expect(server.listener.heldBytes).to.equal(0);
  });

  it('does so by TLS too', async () => {
    await using authority = createAuthority('Practice CA');
    using folder = tlsFolder(authority.issue('axis'));
    await using server = await listen({ guard: { tls: { port: 0, files: folder.files } } });
    using sender = await connectSender(server.listener.tlsPort, '127.0.0.1', { ca: authority.certificate });
    const closed = once(sender.socket, 'close');
    sender.socket.end(frame(1));
    await closed;
    expect(sender.frames.map(verdict)).to.deep.equal(['AA 1']);
  });
});

describe('HL7 listener: envelopes', () => {
  const BHS = 'BHS|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||||B7\r';

  it('answers each message of one by its own acknowledgment, all in one envelope, and goes on', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    const unreadable = adt(2)
      .replace('||||||', '||||||KLINGON')
      .replace('2.5.1|||', '2.5.1||||||KLINGON')
      .replace('PID|', 'PID|\u00e9');
    await sender.write(mllpFrame(Buffer.from(`${BHS}${adt(1)}${unreadable}${adt(3)}BTS|3\r`, 'latin1')));
    await sender.write(frame(4));
    const [envelope, single] = await sender.answers(2);
    expect(verdictsIn(envelope)).to.deep.equal(['AA 1', 'AR 2', 'AA 3']);
    expect(envelope)
      .to.match(/^BHS\|.*\|B7\rMSH/)
      .and.to.match(/\rBTS\|3\r$/);
    expect(verdictsIn(single)).to.deep.equal(['AA 4']);
    expect(server.inbound.map(({ raw }) => raw.toString('latin1'))).to.deep.equal([adt(1), unreadable, adt(3), adt(4)]);
    expect(server.listener.heldBytes).to.equal(0);
  });

  it('answers AR for one without a message', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    await sender.write(mllpFrame(Buffer.from(`${BHS}BTS|0\r`)));
    expect((await sender.answers(1)).map(verdict)).to.deep.equal(['AR']);
    expect(server.inbound[0]?.problem).to.equal('an envelope (FHS, BHS) without a message (MSH)');
  });
});

describe('HL7 listener: the enhanced mode', () => {
  it('sends the acknowledgments that MSH-15 and MSH-16 ask for, one, two or none, in order', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    const asked = ['AL|NE', 'NE|NE', 'AL|AL', '', 'NE|AL'];
    await sender.write(Buffer.concat(asked.map((one, index) => frame(index + 1, one))));
    const acks = await sender.answers(5);
    expect(acks.map(verdict)).to.deep.equal(['CA 1', 'CA 3', 'AA 3', 'AA 4', 'AA 5']);
    expect(server.inbound).to.have.length(5);
  });

  it('says CE for what was not committed, which the sender has still', async () => {
    await using server = await listen({ handle: () => Promise.reject(new Error('away')) });
    using sender = await connectSender(server.port);
    await sender.write(Buffer.concat([frame(1, 'AL|AL'), frame(2, 'ER|NE')]));
    expect((await sender.answers(2)).map(verdict)).to.deep.equal(['CE 1', 'CE 2']);
  });
});

describe('HL7 listener: who may send', () => {
  const stranger = (name: string, more = ''): Buffer =>
    mllpFrame(Buffer.from(adt(1).replace('|RIS|', `|${name}|`) + more));

  it('is asked by the header alone, before anything else of a message is read', async () => {
    const asked: string[] = [];
    await using server = await listen({
      maxFrameBytes: 2_000_000,
      admit: ({ header }) => {
        const msh = header === null ? undefined : segment(header, 'MSH');
        asked.push(component(msh, 3));
        expect(header?.segments ?? []).to.have.length.at.most(1);
        return component(msh, 3) === 'RIS' ? null : 'MSH|^~\\&|AXIS\rMSA|AR|stranger\r';
      },
    });
    using sender = await connectSender(server.port);
    const bomb = 'ZZZ\r'.repeat(400_000);
    const frames = [stranger('X'), stranger('X', bomb), stranger('RIS'), stranger('RIS', bomb), stranger('')];
    await sender.write(Buffer.concat([...frames, mllpFrame(Buffer.from('no HL7'))]));
    const answers = ['AR stranger', 'AR stranger', 'AA 1', 'AA 1', 'AR stranger', 'AR stranger'];
    expect((await sender.answers(6)).map(verdict)).to.deep.equal(answers);
    expect(asked).to.deep.equal(['X', 'X', 'RIS', 'RIS', '', '']);
    expect(server.inbound).to.have.length(2);
  });

  it('is asked of each message of an envelope', async () => {
    await using server = await listen({
      admit: ({ header }) => (header === null ? null : 'MSH|^~\\&|AXIS\rMSA|AR|stranger\r'),
    });
    using sender = await connectSender(server.port);
    await sender.write(mllpFrame(Buffer.from(`BHS|^~\\&|RIS\r${adt(1)}${adt(2)}BTS|2\r`)));
    expect(verdictsIn((await sender.answers(1))[0])).to.deep.equal(['AR stranger', 'AR stranger']);
    expect(server.inbound).to.deep.equal([]);
  });
});

describe('HL7 listener: frames that take long to read', () => {
  const large = (controlId: number): Buffer =>
    mllpFrame(Buffer.from(`${adt(controlId)}OBX|1|ED|||${'QUJD'.repeat(80_000)}\r`));
  const manyParts = (controlId: number): Buffer =>
    mllpFrame(Buffer.from(`${adt(controlId)}ZZZ|${'~'.repeat(20_000)}\r`));

  it('are handled one by one, and hold up no other', async () => {
    const gates = new Map<string, () => void>();
    let [running, most] = [0, 0];
    await using server = await listen({
      maxFrameBytes: 1_000_000,
      maxAtOnce: 4,
      answerTimeoutMs: 20_000,
      handle: async (inbound) => {
        if (inbound.raw.length < 20_000) return acknowledge(inbound);
        most = Math.max(most, (running += 1));
        await new Promise<void>((go) => gates.set(inbound.raw.toString().split('|')[9] ?? '', go));
        running -= 1;
        return acknowledge(inbound);
      },
    });
    const heavies = await Promise.all([1, 2, 3, 4, 5, 6].map(() => connectSender(server.port)));
    await Promise.all(heavies.map((one, at) => one.write(at % 2 === 0 ? large(at + 1) : manyParts(at + 1))));
    using small = await connectSender(server.port);
    for (let number = 1; number <= 20; number += 1) {
      await small.write(frame(number));
      expect((await small.answers(number)).map(verdict).at(-1)).to.equal(`AA ${number}`);
    }
    while (heavies.some(({ frames }) => frames.length === 0)) {
      for (const [controlId, go] of gates) {
        gates.delete(controlId);
        go();
      }
      await pause(5);
    }
    expect(heavies.map(({ frames }) => verdict(frames[0] ?? ''))).to.deep.equal(
      [1, 2, 3, 4, 5, 6].map((number) => `AA ${number}`),
    );
    expect(most).to.equal(1);
    for (const one of heavies) one[Symbol.dispose]();
  });
});
