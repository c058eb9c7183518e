/** What one connection has of a {@link FrameRoom}. */
export interface Seat {
  /** Whether its connection may be read on. One that may not waits from then on, and is told when it may. */
  ask(): boolean;
  /** Whether it is read although there is no room, so that others wait for it. */
  readonly inTurn: boolean;
  /** Says what it holds now: bytes of the frame that is coming in, and of those that came in and are not done with. */
  hold(coming: number, whole: number): void;
  /** Its connection is closed: nothing comes in any more. What came in counts until it is done with. */
  leave(): void;
}

export interface FrameRoom {
  /** Held by all seats. */
  readonly bytes: number;
  /** `changed` is called when the seat that was told to wait may be read, or is no longer in turn. */
  join(changed: () => void): Seat;
}

/**
 * Shares out the memory for frames between connections. While all hold less than `limitBytes`, each may be read. From
 * there on only those that hold no more than `smallBytes`, so that small messages are not held up by large ones; the
 * others wait until there is room. Frames that came in whole make room as they are done with, but half of a frame never
 * does: so one at a time of those that wait, the one that waited longest, gets its turn and is read to the end of its
 * frame, and the next one when that is done with. A seat in turn that brings no end is the caller's to close.
 *
 * Whoever was told to wait is told as soon as that is over; and while somebody waits, something is in work or somebody
 * is in turn.
 *
 * All together never hold more than `limitBytes`, one frame, and for each seat `smallBytes` and what one read brings.
 */
export function createFrameRoom(limitBytes: number, smallBytes: number): FrameRoom {
  interface Held {
    coming: number;
    whole: number;
    readonly changed: () => void;
  }
  interface Turn {
    readonly of: Held;
    /** Its frame came in: its turn is over when that is done with. */
    ended: boolean;
  }
  let bytes = 0;
  let turn: Turn | undefined;
  const waiting = new Set<Held>();

  const inTurn = (held: Held): boolean => turn?.of === held && !turn.ended;
  const mayRead = (held: Held): boolean => bytes < limitBytes || held.coming + held.whole <= smallBytes || inTurn(held);
  const isOver = ({ of: { coming, whole }, ended }: Turn): boolean =>
    bytes < limitBytes || (ended ? whole : coming + whole) <= smallBytes;
  const share = (): void => {
    const changed = new Set<Held>();
    if (turn !== undefined && isOver(turn)) {
      changed.add(turn.of);
      turn = undefined;
    }
    if (turn === undefined && bytes >= limitBytes) {
      const next = [...waiting].find((held) => held.coming > 0);
      if (next !== undefined) turn = { of: next, ended: false };
    }
    for (const held of waiting) if (mayRead(held)) changed.add(held);
    for (const held of changed) waiting.delete(held);
    for (const held of changed) held.changed();
  };
  return {
    get bytes() {
      return bytes;
    },
    join(changed) {
      const held: Held = { coming: 0, whole: 0, changed };
      let left = false;
      return {
        ask() {
          if (!left && !mayRead(held)) {
            waiting.add(held);
            share();
          }
          return mayRead(held);
        },
        get inTurn() {
          return inTurn(held);
        },
        hold(coming, whole) {
          if (coming === held.coming && whole === held.whole) return;
          if (turn?.of === held && whole > held.whole) turn.ended = true;
          bytes += coming + whole - held.coming - held.whole;
          [held.coming, held.whole] = [coming, whole];
          share();
        },
        leave() {
          left = true;
          waiting.delete(held);
          if (turn?.of === held) turn.ended = true;
          this.hold(0, held.whole);
          share();
        },
      };
    },
  };
}
