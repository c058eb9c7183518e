import { expect } from 'chai';
import fc from 'fast-check';
import { createFrameRoom, type Seat } from '../../../hl7/rules/frame-room.ts';

const LIMIT = 1000;
const SMALL = 50;
const FRAME = 400;
const READ = 50;

interface Sender {
  readonly seat: Seat;
  /** What it still sends: the sizes of its frames. */
  readonly frames: number[];
  coming: number;
  readonly whole: number[];
  paused: boolean;
}

describe('room for frames', () => {
  /** A room and who sends; `step` reads once from one, and takes the end of a frame with its last bytes. */
  const play = (sent: readonly (readonly number[])[]) => {
    const room = createFrameRoom(LIMIT, SMALL);
    const senders = sent.map((frames): Sender => {
      const seat = room.join(() => {
        sender.paused = !seat.ask();
      });
      const sender: Sender = { seat, frames: [...frames], coming: 0, whole: [], paused: false };
      return sender;
    });
    const tell = (sender: Sender): void => {
      const whole = sender.whole.reduce((sum, size) => sum + size, 0);
      sender.seat.hold(sender.coming, whole);
      sender.paused = !sender.seat.ask();
    };
    const read = (sender: Sender): boolean => {
      const [size] = sender.frames;
      if (size === undefined || sender.paused) return false;
      sender.coming += Math.min(READ, size - sender.coming);
      if (sender.coming === size) {
        sender.frames.shift();
        sender.whole.push(size);
        sender.coming = 0;
      }
      tell(sender);
      return true;
    };
    const finish = (sender: Sender): boolean => {
      if (sender.whole.shift() === undefined) return false;
      tell(sender);
      return true;
    };
    return { room, senders, read, finish };
  };
  const sizes = fc.array(fc.array(fc.integer({ min: 1, max: FRAME }), { maxLength: 6 }), { maxLength: 30 });

  it('is never taken beyond its bound, and in the end every frame comes in, in whatever order things happen', () => {
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.nat()), fc.integer({ min: 0, max: 9 }), (sent, draw, slowness) => {
        const { room, senders, read, finish } = play(sent);
        const next = (): number => Number(draw.next().value);
        const most = LIMIT + FRAME + senders.length * (SMALL + READ);
        let still = 0;
        while (senders.some(({ frames, whole }) => frames.length + whole.length > 0)) {
          const sender = senders[next() % senders.length];
          if (sender === undefined) break;
          const moved = next() % 10 < slowness ? finish(sender) : read(sender);
          expect(room.bytes).to.be.at.most(most);
          still = moved ? 0 : still + 1;
          if (still < 200) continue;
          const one = senders.map((each) => read(each) || finish(each));
          expect(one, 'nobody can go on').to.include(true);
          still = 0;
        }
        expect(room.bytes).to.equal(0);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it('lets one at a time bring its frame to its end where halves take all of it: who has waited longest', () => {
    const { room, senders, read, finish } = play(Array.from({ length: 6 }, () => [FRAME]));
    const paused = () => senders.map((sender) => sender.paused);
    const [first, second, third, ...others] = senders;
    if (!first || !second || !third) throw new Error('no senders');
    for (const sender of senders) for (let reads = 0; reads < 3; reads += 1) read(sender);
    for (const sender of [first, third, second, ...others, first]) read(sender);
    expect(room.bytes).to.equal(LIMIT + 5 * READ);
    expect(paused()).to.deep.equal([true, true, false, true, true, true]);
    expect(third.seat.inTurn).to.equal(true);
    while (read(third)) continue;
    expect(third.whole).to.deep.equal([FRAME]);
    expect(paused(), 'until its frame is done with').to.deep.equal([true, true, true, true, true, true]);
    finish(third);
    expect(paused()).to.deep.equal([true, false, false, true, true, true]);
  });

  it('passes the turn on when its connection is closed, and counts what is in work of it', () => {
    const { room, senders, read } = play([[FRAME, FRAME], [FRAME], [FRAME], [FRAME]]);
    const [first, second, third] = senders;
    if (!first || !second || !third) throw new Error('no senders');
    for (let reads = 0; reads < 14; reads += 1) read(first);
    for (let reads = 0; reads < 5; reads += 1) read(second);
    for (const sender of [first, second, third]) read(sender);
    expect(first.seat.inTurn).to.equal(true);
    const before = room.bytes;
    first.seat.leave();
    expect(before - room.bytes).to.equal(first.coming);
    expect(first.whole).to.deep.equal([FRAME]);
    expect(room.bytes).to.equal(FRAME + second.coming + third.coming);
    expect(second.paused).to.equal(false);
    first.seat.hold(0, 0);
    expect(room.bytes).to.equal(second.coming + third.coming);
  });

  it('does not pass the turn on before the frame it brought is done with, also where its connection is closed', () => {
    const { senders, read, finish } = play(Array.from({ length: 6 }, () => [FRAME]));
    const [first, ...others] = senders;
    if (!first) throw new Error('no senders');
    for (const sender of senders) for (let reads = 0; reads < 3; reads += 1) read(sender);
    for (const sender of [others[0], first, ...others]) if (sender) read(sender);
    while (read(first)) continue;
    first.seat.leave();
    expect(senders.map(({ paused }) => paused)).to.deep.equal([true, true, true, true, true, true]);
    finish(first);
    expect(others.map(({ seat }) => seat.inTurn)).to.include(true);
  });

  it('is always open to who holds little', () => {
    const { room, senders, read } = play([[FRAME], [FRAME], [FRAME], [FRAME], [SMALL]]);
    const small = senders.at(-1);
    while (senders.slice(0, -1).filter((sender) => read(sender)).length > 1) continue;
    expect(room.bytes).to.be.at.least(LIMIT);
    expect(small && read(small)).to.equal(true);
    expect(small?.whole).to.deep.equal([SMALL]);
  });
});
