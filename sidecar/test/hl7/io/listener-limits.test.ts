import { expect } from 'chai';
import { mllpFrame } from '../../../hl7/rules/mllp.ts';
import { acknowledge, bufferBytes, listen, verdict } from '../../support/hl7-listener.ts';
import { connectSender, pause } from '../../support/mllp-sender.ts';

const adt = (controlId: string | number, name = 'Doe^Jane'): string =>
  `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|${controlId}|P|2.5.1||||||UNICODE UTF-8\rPID|||P1||${name}\r`;
const frame = (controlId: string | number, name?: string): Buffer => mllpFrame(Buffer.from(adt(controlId, name)));
const verdicts = (acks: readonly string[]): string[] => acks.map(verdict);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('HL7 listener: limits', () => {
  it('answers a too large frame AR, to the message it began as, and takes the next', async () => {
    await using server = await listen({ maxFrameBytes: 5000 });
    using sender = await connectSender(server.port);
    await sender.write(Buffer.concat([frame(1, 'x'.repeat(20_000)), frame(2)]));
    const acks = await sender.answers(2);
    expect(verdicts(acks)).to.deep.equal(['AR 1', 'AA 2']);
    expect(acks[0]).to.include('larger than the 5000 bytes that are taken');
    expect(
      server.inbound.map(({ problem }) => problem !== null),
      'its beginning is handed on',
    ).to.deep.equal([true, false]);
    expect(server.inbound[0]?.raw.length).to.be.at.most(5000);
  });

  it('does not hold a too large frame in memory', async () => {
    await using server = await listen({ maxFrameBytes: 100_000 });
    using sender = await connectSender(server.port);
    const chunk = Buffer.alloc(1_000_000, 'x');
    const before = bufferBytes();
    let [most, held] = [0, 0];
    await sender.write(frame(1).subarray(0, -2));
    for (let sent = 0; sent < 150; sent += 1) {
      await sender.write(chunk);
      if (sent % 10 === 9) most = Math.max(most, bufferBytes() - before);
      held = Math.max(held, server.listener.heldBytes);
    }
    expect(verdicts(await sender.answers(1))).to.deep.equal(['AR 1']);
    expect(most).to.be.lessThan(75_000_000);
    expect(held).to.be.lessThan(300_000);
  });

  it('closes a connection that does not speak MLLP, and says so', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    await sender.write(`GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(8000)}\r\n\r\n`);
    await sender.untilClosed();
    expect(server.warnings).to.deep.equal(['HL7 connection closed: what it sends is not MLLP']);
    expect(server.inbound).to.deep.equal([]);
  });

  it('puts up with some garbage before each message, however many come', async () => {
    await using server = await listen();
    using sender = await connectSender(server.port);
    const garbage = Buffer.alloc(1000, 'x');
    await sender.write(Buffer.concat(numbers(20).flatMap((number) => [garbage, frame(number)])));
    expect(verdicts(await sender.answers(20))).to.deep.equal(numbers(20).map((number) => `AA ${number}`));
    expect(server.warnings).to.deep.equal([]);
  });

  it('reads no more from a connection whose frames that wait take as much as it may', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using server = await listen({
      maxFrameBytes: 1_000_000,
      handle: (inbound) => gate.promise.then(() => acknowledge(inbound)),
    });
    using sender = await connectSender(server.port);
    const big = Array.from({ length: 15 }, () => frame(1, 'x'.repeat(900_000)));
    for (const bytes of big) void sender.write(bytes);
    await pause(300);
    expect(sender.socket.writableLength).to.be.greaterThan(1_000_000);
    gate.resolve(undefined);
    expect(await sender.answers(15)).to.have.length(15);
  });

  it('reads on from every connection after all of them together took as much as they may', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using server = await listen({
      maxFrameBytes: 100_000,
      maxConnections: 60,
      handle: (inbound) => gate.promise.then(() => acknowledge(inbound)),
    });
    const senders = await Promise.all(numbers(40).map(() => connectSender(server.port)));
    for (const sender of senders) void sender.write(Buffer.concat(numbers(3).map((n) => frame(n, 'x'.repeat(90_000)))));
    await pause(300);
    for (const sender of senders.slice(0, 10)) sender.socket.resetAndDestroy();
    await pause(50);
    gate.resolve(undefined);
    for (const sender of senders.slice(10)) expect(await sender.answers(3)).to.have.length(3);
    await Promise.all(senders.slice(10).map((sender) => sender.write(frame(4))));
    for (const sender of senders.slice(10)) {
      expect(verdicts(await sender.answers(4))).to.deep.equal(['AA 1', 'AA 2', 'AA 3', 'AA 4']);
      sender[Symbol.dispose]();
    }
  });

  it('closes a connection that is idle, not one that waits for its answer', async () => {
    await using server = await listen({
      idleTimeoutMs: 100,
      handle: async (inbound) => {
        await pause(300);
        return acknowledge(inbound);
      },
    });
    using idle = await connectSender(server.port);
    using busy = await connectSender(server.port);
    await busy.write(frame(1));
    await idle.untilClosed(1000);
    expect(verdicts(await busy.answers(1))).to.deep.equal(['AA 1']);
  });

  it('takes no more connections than it may, and says so', async () => {
    await using server = await listen({ maxConnections: 2 });
    using first = await connectSender(server.port);
    using second = await connectSender(server.port);
    await Promise.all(
      [first, second].map(async (sender) => {
        await sender.write(frame(1));
        await sender.answers(1);
      }),
    );
    using third = await connectSender(server.port);
    await third.untilClosed();
    expect(server.warnings).to.deep.equal(['HL7 connection refused: too many']);
    await first.write(frame(2));
    expect(verdicts(await first.answers(2))).to.deep.equal(['AA 1', 'AA 2']);
  });

  it('goes on where a sender breaks off in the middle of a frame or of an answer', async () => {
    await using server = await listen({
      handle: async (inbound) => {
        await pause(30);
        return acknowledge(inbound);
      },
    });
    for (const bytes of [frame(1).subarray(0, 30), frame(2)]) {
      const rude = await connectSender(server.port);
      await rude.write(bytes);
      await pause(10);
      rude.socket.resetAndDestroy();
    }
    await pause(60);
    using sender = await connectSender(server.port);
    await sender.write(frame(3));
    expect(verdicts(await sender.answers(1))).to.deep.equal(['AA 3']);
  });
});
