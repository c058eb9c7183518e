import { expect } from 'chai';
import { mllpFrame } from '../../../hl7/rules/mllp.ts';
import { acknowledge, bufferBytes, listen, verdict } from '../../support/hl7-listener.ts';
import { connectMany, connectSender, pause } from '../../support/mllp-sender.ts';

const MAX_FRAME = 1_000_000;
/** What the listener may hold with so many connections: 16 frames and one, and 64 KiB and a read for each of them. */
const most = (connections: number): number => 17 * MAX_FRAME + connections * 2 * 65_536;

const adt = (controlId: number, padding = ''): string =>
  `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|${controlId}|P|2.5.1\rPID|||P1||Doe^Jane\rZZZ|${padding}\r`;
const frame = (controlId: number, padding?: string): Buffer => mllpFrame(Buffer.from(adt(controlId, padding)));
const BIG = frame(1, 'x'.repeat(900_000));
const HALF = BIG.subarray(0, -1000);
const REST = BIG.subarray(-1000);
/** How long one answer may take on a machine that has much else to do. */
const LONG = 60_000;

/** Looks at `value` until it stays the same; gives the highest that was seen. */
async function settledAtMost(value: () => number): Promise<number> {
  let highest = value();
  let same = 0;
  for (let before = value(); same < 10; before = value()) {
    await pause(20);
    same = value() === before ? same + 1 : 0;
    highest = Math.max(highest, value());
  }
  return highest;
}

describe('HL7 listener: memory', () => {
  it('holds no more than it may of unfinished frames, and in the end takes each of them', async () => {
    const patient = { idleTimeoutMs: 5 * LONG, frameTimeoutMs: 5 * LONG, answerTimeoutMs: 5 * LONG };
    await using server = await listen({ maxFrameBytes: MAX_FRAME, maxConnections: 60, ...patient });
    using senders = await connectMany(60, server.port);
    const before = bufferBytes();
    for (const sender of senders) void sender.write(HALF);
    const highest = await settledAtMost(() => server.listener.heldBytes);
    expect(highest).to.be.within(16 * MAX_FRAME, most(60));
    expect(bufferBytes() - before).to.be.lessThan(2 * most(60));
    expect(server.inbound).to.deep.equal([]);

    let later = 0;
    const watched = setInterval(() => (later = Math.max(later, server.listener.heldBytes)), 1);
    for (const sender of senders) void sender.write(REST);
    for (const sender of senders) expect((await sender.answers(1, LONG)).map(verdict)).to.deep.equal(['AA 1']);
    clearInterval(watched);
    expect(later).to.be.lessThan(most(60));
    expect(server.listener.heldBytes).to.equal(0);
    expect(server.warnings).to.deep.equal([]);
  }).timeout(5 * LONG);

  it('closes some of the frames that take all room and do not come to their end, and takes the others', async () => {
    await using server = await listen({ maxFrameBytes: MAX_FRAME, maxConnections: 60, answerTimeoutMs: 150 });
    using stalled = await connectMany(24, server.port);
    for (const sender of stalled) void sender.write(HALF);
    await pause(100);
    using small = await connectSender(server.port);
    using large = await connectSender(server.port);
    void large.write(BIG);
    for (let number = 1; number <= 20; number += 1) {
      await small.write(frame(number));
      expect((await small.answers(number)).map(verdict).at(-1)).to.equal(`AA ${number}`);
    }
    expect((await large.answers(1, 10_000)).map(verdict)).to.deep.equal(['AA 1']);
    await settledAtMost(() => server.warnings.length);
    const open = stalled.filter(({ closed }) => !closed);
    expect(open).to.have.length.within(10, 17);
    expect(server.warnings).to.have.length(24 - open.length);
    expect([...new Set(server.warnings)]).to.deep.equal(['HL7 connection closed: the end of a message did not come']);
    for (const sender of open) void sender.write(REST);
    for (const sender of open) {
      // AE where this machine needs longer than answerTimeoutMs: it is sent again then, as any sender does.
      for (let sends = 1; verdict((await sender.answers(sends, LONG)).at(-1) ?? '') === 'AE 1'; sends += 1) {
        void sender.write(BIG);
      }
      expect(sender.frames.map(verdict).at(-1)).to.equal('AA 1');
    }
    expect(server.inbound.length).to.be.at.least(20 + 1 + open.length);
  });

  it('counts what is in work until that is over, also when it was answered AE and its sender is gone', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using server = await listen({
      maxFrameBytes: MAX_FRAME,
      answerTimeoutMs: 50,
      handle: (inbound) => gate.promise.then(() => acknowledge(inbound)),
    });
    using sender = await connectSender(server.port);
    await sender.write(BIG);
    expect((await sender.answers(1)).map(verdict)).to.deep.equal(['AE 1']);
    sender.socket.resetAndDestroy();
    await pause(50);
    expect(server.listener.heldBytes).to.equal(BIG.length - 3);
    gate.resolve(undefined);
    await pause(50);
    expect(server.listener.heldBytes).to.equal(0);
  });

  it('handles no more frames at once than it may, the others in the order they came', async () => {
    let running = 0;
    let highest = 0;
    await using server = await listen({
      maxConnections: 30,
      maxAtOnce: 3,
      handle: async (inbound) => {
        highest = Math.max(highest, (running += 1));
        await pause(10);
        running -= 1;
        return acknowledge(inbound);
      },
    });
    using senders = await connectMany(30, server.port);
    await Promise.all(senders.map((sender, number) => sender.write(frame(number))));
    const acks = await Promise.all(senders.map((sender) => sender.answers(1)));
    expect(acks.flat().map(verdict)).to.deep.equal(senders.map((_, number) => `AA ${number}`));
    expect(highest).to.equal(3);
  });

  it('answers AE, and does not begin a message afterwards, whose turn does not come in time', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using server = await listen({
      maxAtOnce: 1,
      answerTimeoutMs: 100,
      handle: (inbound) => gate.promise.then(() => acknowledge(inbound)),
    });
    using first = await connectSender(server.port);
    using second = await connectSender(server.port);
    await first.write(frame(1));
    await pause(20);
    await second.write(frame(2));
    expect((await second.answers(1)).map(verdict)).to.deep.equal(['AE 2']);
    gate.resolve(undefined);
    await second.write(frame(3));
    expect((await second.answers(2)).map(verdict)).to.deep.equal(['AE 2', 'AA 3']);
    expect(server.inbound.map(({ raw }) => raw.toString().split('|')[9])).to.deep.equal(['1', '3']);
  });
});

describe('HL7 listener: slow senders', () => {
  for (const [kind, piece] of [
    ['stalls', ''],
    ['trickles, a byte at a time', 'x'],
    ['begins anew again and again', '\x0b'],
  ] as const) {
    it(`closes a connection on which a frame ${kind}, and no other`, async () => {
      await using server = await listen({ frameTimeoutMs: 250 });
      using slow = await connectSender(server.port);
      using idle = await connectSender(server.port);
      await slow.write(Buffer.concat([frame(1), frame(2).subarray(0, 20)]));
      const trickle = setInterval(() => piece !== '' && slow.socket.write(piece), 20);
      await slow.untilClosed().finally(() => {
        clearInterval(trickle);
      });
      expect(slow.frames.map(verdict)).to.deep.equal(['AA 1']);
      expect(server.warnings).to.deep.equal(['HL7 connection closed: the end of a message did not come']);
      expect(server.listener.heldBytes).to.equal(0);
      await idle.write(frame(3));
      expect((await idle.answers(1)).map(verdict)).to.deep.equal(['AA 3']);
    });
  }

  it('closes a connection that sends a too large frame for ever', async () => {
    await using server = await listen({ frameTimeoutMs: 250, maxFrameBytes: 5000 });
    using endless = await connectSender(server.port);
    await endless.write(frame(1, 'x'.repeat(6000)).subarray(0, -3));
    const more = setInterval(() => endless.socket.write('x'.repeat(1000)), 20);
    await endless.untilClosed().finally(() => {
      clearInterval(more);
    });
    expect(endless.frames.map(verdict)).to.deep.equal(['AR 1']);
  });

  it('answers what is in work before it closes', async () => {
    await using server = await listen({
      frameTimeoutMs: 100,
      handle: async (inbound) => {
        await pause(300);
        return acknowledge(inbound);
      },
    });
    using sender = await connectSender(server.port);
    await sender.write(Buffer.concat([frame(1), frame(2), frame(3).subarray(0, 20)]));
    await sender.untilClosed();
    expect(sender.frames.map(verdict)).to.deep.equal(['AA 1', 'AA 2']);
  });

  it('gives each frame its own time, and none of it passes while the connection is not read', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using server = await listen({
      frameTimeoutMs: 200,
      idleTimeoutMs: 200,
      handle: (inbound) => gate.promise.then(() => acknowledge(inbound)),
    });
    using sender = await connectSender(server.port);
    const stream = Buffer.concat(Array.from({ length: 40 }, (_, number) => frame(number)));
    await sender.write(stream.subarray(0, 20 * frame(10).length + 30));
    await pause(500);
    gate.resolve(undefined);
    await sender.answers(20);
    const rest = stream.subarray(20 * frame(10).length + 30);
    for (let from = 0; from < rest.length; from += 60) {
      await sender.write(rest.subarray(from, from + 60));
      await pause(30);
    }
    expect((await sender.answers(40)).map(verdict)).to.deep.equal(
      Array.from({ length: 40 }, (_, number) => `AA ${number}`),
    );
  });
});
