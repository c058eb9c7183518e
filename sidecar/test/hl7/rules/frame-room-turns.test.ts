import { expect } from 'chai';
import fc from 'fast-check';
import { createFrameRoom, type Seat } from '../../../hl7/rules/frame-room.ts';

const LIMIT = 1000;
const SMALL = 50;
const FRAME = 400;
/** More than what is small, so that the end of one frame and much of the next can come in at once. */
const READ = 80;
/** Of one connection's own frames, from where on it is not read, room or no room. */
const OWN = 300;

interface Sender {
  readonly seat: Seat;
  /** What it still sends: the sizes of its frames. */
  readonly frames: number[];
  coming: number;
  readonly inWork: number[];
  paused: boolean;
  closed: boolean;
  /** It sends no more, though its frame is not at its end. */
  stalled: boolean;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Connections with a room, which do what the listener does; what each does gives whether there was anything to do. */
function play(sent: readonly (readonly number[])[]) {
  const room = createFrameRoom(LIMIT, SMALL);
  const full = (sender: Sender): boolean => sum(sender.inWork) >= OWN;
  const look = (sender: Sender): void => {
    if (!sender.closed) sender.paused = !sender.seat.ask() || full(sender);
  };
  const senders = sent.map((frames): Sender => {
    const seat = room.join(() => {
      look(sender);
    });
    const state = { coming: 0, inWork: [], paused: false, closed: false, stalled: false };
    const sender: Sender = { seat, frames: [...frames], ...state };
    return sender;
  });
  const tell = (sender: Sender): void => {
    sender.seat.hold(sender.coming, sum(sender.inWork));
    look(sender);
  };
  const canRead = ({ frames, paused, closed, stalled }: Sender): boolean =>
    frames.length > 0 && !paused && !closed && !stalled;
  const actions = {
    read(sender: Sender, bytes: number): boolean {
      if (!canRead(sender)) return false;
      sender.coming += bytes;
      for (let [size] = sender.frames; size !== undefined && size <= sender.coming; [size] = sender.frames) {
        sender.inWork.push(size);
        sender.coming -= size;
        sender.frames.shift();
      }
      if (sender.frames.length === 0) sender.coming = 0;
      tell(sender);
      return true;
    },
    finish(sender: Sender): boolean {
      if (sender.inWork.shift() === undefined) return false;
      tell(sender);
      return true;
    },
    look(sender: Sender): boolean {
      look(sender);
      return false;
    },
    close(sender: Sender): boolean {
      if (sender.closed) return false;
      [sender.closed, sender.coming] = [true, 0];
      sender.seat.leave();
      return true;
    },
    stall(sender: Sender): boolean {
      sender.stalled = true;
      return false;
    },
    /** The time of who is in turn and brings nothing is over. */
    giveUp(sender: Sender): boolean {
      return sender.stalled && !sender.paused && sender.seat.inTurn && actions.close(sender);
    },
  };
  const check = (): void => {
    expect(room.bytes).to.equal(sum(senders.map(({ coming, inWork }) => coming + sum(inWork))));
    expect(room.bytes).to.be.at.most(LIMIT + FRAME + senders.length * (SMALL + READ));
    const open = senders.filter(({ closed }) => !closed);
    for (const sender of open) {
      const { coming, inWork, seat, paused } = sender;
      const may = room.bytes < LIMIT || coming + sum(inWork) <= SMALL || seat.inTurn;
      if (may && !full(sender)) expect(paused, 'paused though it may be read').to.equal(false);
    }
    expect(open.filter(({ seat }) => seat.inTurn).length, 'in turn').to.be.at.most(1);
    if (open.every(({ paused }) => !paused)) return;
    const goesOn = senders.some(({ inWork, seat, paused }) => inWork.length > 0 || (seat.inTurn && !paused));
    expect(goesOn, 'some wait, and nobody brings about that they are read').to.equal(true);
  };
  return { room, senders, actions, check };
}

const kinds = ['read', 'finish', 'look', 'close', 'stall', 'giveUp'] as const;
const step = fc.record({
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constant('read' as const) },
    { weight: 4, arbitrary: fc.constant('finish' as const) },
    { weight: 3, arbitrary: fc.constantFrom(...kinds) },
  ),
  of: fc.nat(),
  bytes: fc.integer({ min: 1, max: READ }),
});
const sent = fc.array(fc.array(fc.integer({ min: 1, max: FRAME }), { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 12,
});

describe('room for frames: who waits', () => {
  it('is read as soon as there is room, and somebody always makes room, in whatever order things happen', () => {
    fc.assert(
      fc.property(sent, fc.array(step, { maxLength: 400, size: 'max' }), (frames, steps) => {
        const { room, senders, actions, check } = play(frames);
        for (const { kind, of, bytes } of steps) {
          const sender = senders[of % senders.length];
          if (sender) actions[kind](sender, bytes);
          check();
        }
        const goOn = (sender: Sender): boolean =>
          [actions.read(sender, READ), actions.finish(sender), actions.giveUp(sender)].includes(true);
        while (senders.map(goOn).includes(true)) check();
        const left = senders.filter(({ closed, stalled, frames: unsent }) => !closed && !stalled && unsent.length > 0);
        expect(left, 'not taken to the end').to.deep.equal([]);
        for (const sender of senders) actions.close(sender);
        expect(room.bytes).to.equal(0);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });
});
