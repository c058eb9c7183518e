import { expect } from 'chai';
import { mllpFrame } from '../../../hl7/rules/mllp.ts';
import { acknowledge, listen, verdict } from '../../support/hl7-listener.ts';
import { connectMany, connectSender, pause, until } from '../../support/mllp-sender.ts';

const MAX_FRAME = 100_000;
const ROOM = 16 * MAX_FRAME;
/** How long a machine may take that has much else to do; what is never done is not done in that time either. */
const LONG = 60_000;
const PATIENT = { idleTimeoutMs: LONG, frameTimeoutMs: LONG, answerTimeoutMs: LONG };

const frame = (controlId: number, bytes = 0): Buffer =>
  mllpFrame(
    Buffer.from(
      `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|${controlId}|P|2.5.1\rPID|||P1||Doe^Jane\rZZZ|`.padEnd(
        bytes,
        'x',
      ),
    ),
  );

describe('HL7 listener: a connection that was not read', () => {
  it('is answered the message that came meanwhile in pieces, though nothing comes after it', async () => {
    const gate = Promise.withResolvers<undefined>();
    await using server = await listen({
      ...PATIENT,
      maxFrameBytes: MAX_FRAME,
      handle: (inbound) => gate.promise.then(() => acknowledge(inbound)),
    });
    using sender = await connectSender(server.port);
    await sender.write(frame(1, MAX_FRAME));
    await until('the first is in work', () => server.inbound.length === 1, LONG);
    for (const byte of frame(2)) {
      await sender.write(Buffer.of(byte));
      await pause(2);
    }
    gate.resolve(undefined);
    expect((await sender.answers(2, LONG)).map(verdict)).to.deep.equal(['AA 1', 'AA 2']);
    expect(server.listener.heldBytes).to.equal(0);
  }).timeout(2 * LONG);

  it('is read again when there is room, also where it took its answer only while there was none', async () => {
    const long = 'x'.repeat(9_000_000);
    await using server = await listen({
      ...PATIENT,
      maxFrameBytes: MAX_FRAME,
      maxConnections: 60,
      handle: (inbound) => Promise.resolve(acknowledge(inbound) + (inbound.raw.includes('|1|P') ? long : '')),
    });
    using slow = await connectSender(server.port);
    using others = await connectMany(25, server.port);
    const next = frame(2, 95_000);
    slow.socket.pause();
    await slow.write(Buffer.concat([frame(1), next.subarray(0, 80_000)]));
    await until('its first message is done with', () => server.listener.heldBytes === 79_999, LONG);
    const large = frame(3, 95_000);
    for (const other of others) void other.write(large.subarray(0, 90_000));
    await until('the room is taken', () => server.listener.heldBytes >= ROOM, LONG);
    slow.socket.resume();
    await slow.answers(1, LONG);
    await pause(50);
    for (const other of others) void other.write(large.subarray(90_000));
    for (const other of others) expect((await other.answers(1, LONG)).map(verdict)).to.deep.equal(['AA 3']);
    await slow.write(next.subarray(80_000));
    expect((await slow.answers(2, LONG)).slice(1).map(verdict)).to.deep.equal(['AA 2']);
    expect(server.listener.heldBytes).to.equal(0);
    expect(server.warnings).to.deep.equal([]);
  }).timeout(2 * LONG);
});
