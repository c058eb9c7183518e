import { expect } from 'chai';
import { component, segment } from '../../../hl7/rules/message.ts';
import { mllpFrame } from '../../../hl7/rules/mllp.ts';
import { acknowledge, listen, verdict } from '../../support/hl7-listener.ts';
import { connectSender, pause } from '../../support/mllp-sender.ts';

const adt = (controlId: string | number, name = 'Doe^Jane'): string =>
  `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|${controlId}|P|2.5.1||||||UNICODE UTF-8\rPID|||P1||${name}\r`;
const frame = (controlId: string | number, name?: string): Buffer => mllpFrame(Buffer.from(adt(controlId, name)));
const verdicts = (acks: readonly string[]): string[] => acks.map(verdict);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('HL7 listener: frames', () => {
  it('answers many messages on one kept-open connection, each for itself', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    for (const number of numbers(20)) {
      await sender.write(frame(number));
      const acks = await sender.answers(number);
      expect(verdict(acks.at(-1) ?? '')).to.equal(`AA ${number}`);
    }
    expect(server.inbound).to.have.length(20);
  });

  it('answers several frames of one packet, one answer a frame, in order', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    await sender.write(Buffer.concat(numbers(50).map((number) => frame(number))));
    expect(verdicts(await sender.answers(50))).to.deep.equal(numbers(50).map((number) => `AA ${number}`));
  });

  it('takes a frame that comes in many packets, cut inside a UTF-8 character', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    const bytes = frame(1, '東京^Zoë');
    const cut = bytes.indexOf('東') + 1;
    for (const piece of [
      bytes.subarray(0, 1),
      bytes.subarray(1, cut),
      bytes.subarray(cut, cut + 1),
      bytes.subarray(cut + 1, -1),
      bytes.subarray(-1),
    ]) {
      await sender.write(piece);
      await pause(10);
    }
    expect(verdicts(await sender.answers(1))).to.deep.equal(['AA 1']);
    const message = server.inbound[0]?.message;
    expect(message && component(segment(message, 'PID'), 5)).to.equal('東京');
  });

  it('gives the frame’s own bytes on, byte for byte', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    const bytes = Buffer.from(adt(1).replace('UNICODE UTF-8', '8859/1').replace('Jane', 'Zoë'), 'latin1');
    await sender.write(mllpFrame(bytes));
    await sender.answers(1);
    expect(server.inbound[0]?.raw.equals(bytes)).to.equal(true);
    expect(server.inbound[0]?.remoteAddress).to.equal('127.0.0.1');
  });

  it('puts up with NULs and line ends between frames, and with doubled frame bytes', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    await sender.write(
      Buffer.concat([Buffer.from('\0\r\n \x0b'), frame(1), Buffer.from('\x1c\r\0\0\n'), frame(2), Buffer.from('\r')]),
    );
    expect(verdicts(await sender.answers(2))).to.deep.equal(['AA 1', 'AA 2']);
    expect(server.warnings).to.deep.equal([]);
  });

  it('answers AR, and goes on, where a frame is no HL7', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    await sender.write(Buffer.concat([mllpFrame(Buffer.from('{"not":"HL7"}')), mllpFrame(Buffer.of()), frame(3)]));
    expect(verdicts(await sender.answers(3))).to.deep.equal(['AR', 'AR', 'AA 3']);
    expect(server.inbound[0]).to.deep.include({
      message: null,
      problem: 'the message does not begin with an MSH segment',
    });
  });

  it('answers AR to whom it may concern where only the header can be read', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    const unknown = adt(1).replace('UNICODE UTF-8', 'KLINGON').replace('PID|', 'PID|\u00e9');
    await sender.write(mllpFrame(Buffer.from(unknown, 'latin1')));
    await sender.write(mllpFrame(Buffer.from(adt(2).replace('\r', '\rno segment\r'))));
    expect(verdicts(await sender.answers(2))).to.deep.equal(['AR 1', 'AR 2']);
  });

  it('answers each of several connections on its own', async () => {
    await using server = await listen();
    const senders = await Promise.all(numbers(5).map(() => connectSender(server.port)));
    await Promise.all(senders.map((sender, index) => sender.write(frame(index))));
    const acks = await Promise.all(senders.map((sender) => sender.answers(1)));
    expect(acks.flatMap(verdicts)).to.deep.equal([0, 1, 2, 3, 4].map((index) => `AA ${index}`));
    for (const sender of senders) sender[Symbol.dispose]();
  });
});

describe('HL7 listener: the handler', () => {
  it('is called for one frame of a connection at a time, in order, also where an earlier one takes longer', async () => {
    let running = 0;
    let most = 0;
    await using server = await listen({
      handle: async (inbound) => {
        most = Math.max(most, (running += 1));
        await pause(server.inbound.length % 2 === 1 ? 20 : 0);
        running -= 1;
        return acknowledge(inbound);
      },
    });
    using sender = await connectSender(server.port);
    await sender.write(Buffer.concat(numbers(40).map((number) => frame(number))));
    expect(verdicts(await sender.answers(40))).to.deep.equal(numbers(40).map((number) => `AA ${number}`));
    expect(most).to.equal(1);
  });

  it('is answered for with AE where it rejects or throws, without a word of the error, and is asked again', async () => {
    const failures = [
      () => Promise.reject(new Error('secret')),
      () => {
        throw new Error('secret');
      },
    ];
    await using server = await listen({
      handle: (inbound) => failures.shift()?.() ?? Promise.resolve(acknowledge(inbound)),
    });
    using sender = await connectSender(server.port);
    await sender.write(Buffer.concat([frame(1), frame(2), frame(3)]));
    const acks = await sender.answers(3);
    expect(verdicts(acks)).to.deep.equal(['AE 1', 'AE 2', 'AA 3']);
    expect(acks.join()).not.to.include('secret');
  });

  it('is answered for with AE where it takes too long', async () => {
    await using server = await listen({ answerTimeoutMs: 50, handle: () => new Promise(() => undefined) });
    using sender = await connectSender(server.port);
    await sender.write(frame(1));
    expect(verdicts(await sender.answers(1))).to.deep.equal(['AE 1']);
  });

  it('is not asked for more frames than wait their turn, however many are sent', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using server = await listen({
      handle: (inbound) => gate.promise.then(() => acknowledge(inbound)),
      closeTimeoutMs: 1,
    });
    using sender = await connectSender(server.port);
    const big = frame(1, 'x'.repeat(90_000));
    void sender.write(Buffer.concat(Array.from({ length: 400 }, () => big)));
    await pause(300);
    const unsent = sender.socket.writableLength;
    expect(unsent).to.be.greaterThan(20_000_000);
    expect(server.inbound).to.have.length(1);
    gate.resolve(undefined);
    await sender.answers(400, 10_000);
    expect(server.inbound).to.have.length(400);
  });
});

describe('HL7 listener: closing', () => {
  it('answers what is in work, takes no new frames and no new connections, then closes', async () => {
    const server = await listen({
      handle: async (inbound) => {
        await pause(150);
        return acknowledge(inbound);
      },
    });
    using sender = await connectSender(server.port);
    await sender.write(Buffer.concat([frame(1), frame(2)]));
    await pause(50);
    const closing = server[Symbol.asyncDispose]();
    expect(server.listener.listening).to.equal(false);
    await pause(20);
    await sender.write(frame(3));
    await closing;
    expect(verdicts(sender.frames)).to.deep.equal(['AA 1', 'AA 2']);
    expect(server.inbound).to.have.length(2);
    await sender.untilClosed();
    const refused = await connectSender(server.port).then(
      () => 'connected',
      (error: unknown) => error,
    );
    expect(refused).to.have.property('code', 'ECONNREFUSED');
  });

  it('does not wait longer than it may for a handler that hangs', async () => {
    const server = await listen({
      closeTimeoutMs: 100,
      answerTimeoutMs: 1000,
      handle: () => new Promise(() => undefined),
    });
    using sender = await connectSender(server.port);
    await sender.write(frame(1));
    await pause(30);
    const started = performance.now();
    await server[Symbol.asyncDispose]();
    expect(performance.now() - started).to.be.lessThan(900);
    await sender.untilClosed();
  });

  it('closes idle connections at once', async () => {
    const server = await listen();
    using sender = await connectSender(server.port);
    await pause(20);
    const started = performance.now();
    await server[Symbol.asyncDispose]();
    expect(performance.now() - started).to.be.lessThan(150);
    await sender.untilClosed();
  });
});
