import { expect } from 'chai';
import { gather } from '../../../platform/rules/gather.ts';

interface Take {
  readonly things: readonly string[];
  readonly end: PromiseWithResolvers<readonly string[]>;
}

/** Gathers words; each take waits in `takes` to be ended, `overdue` gives up waiting for the one in work. */
function gathering(limits: { most?: number; mostWeight?: number; mostTakes?: number } = {}) {
  const takes: Take[] = [];
  let overdue = (): void => undefined;
  const receive = gather(
    (things: readonly string[]) => {
      const end = Promise.withResolvers<readonly string[]>();
      takes.push({ things, end });
      return end.promise;
    },
    {
      ...{ most: 3, mostWeight: 100, mostTakes: 2, ...limits },
      weigh: (thing) => thing.length,
      patience: (take) =>
        Promise.race([
          take.catch(() => undefined),
          new Promise<void>((resolve) => {
            overdue = resolve;
          }),
        ]),
      soon: (begin) => void setImmediate(begin),
    },
  );
  return { receive, takes, giveUp: () => (overdue(), settled()) };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const things = (takes: readonly Take[]): string[] => takes.map((take) => take.things.join(' '));
const upper = (take: Take | undefined): void => take?.end.resolve(take.things.map((thing) => thing.toUpperCase()));

describe('gathering', () => {
  it('takes what comes at once together, and what comes meanwhile next, each with its own result', async () => {
    const { receive, takes } = gathering();
    const first = [receive('a'), receive('b')];
    await settled();
    const later = ['c', 'd', 'e', 'f'].map(receive);
    await settled();
    expect(things(takes)).to.deep.equal(['a b']);
    for (const count of [1, 2, 3]) {
      upper(takes[count - 1]);
      await settled();
    }
    expect(things(takes)).to.deep.equal(['a b', 'c d e', 'f']);
    expect(await Promise.all([...first, ...later])).to.deep.equal(['A', 'B', 'C', 'D', 'E', 'F']);
  });

  it('takes no more together than may be held, but what is larger alone', async () => {
    const { receive, takes } = gathering({ mostWeight: 4 });
    for (const thing of ['aa', 'bb', 'c', 'dddddd', 'e']) void receive(thing);
    for (const count of [1, 2, 3, 4]) {
      await settled();
      upper(takes[count - 1]);
    }
    await settled();
    expect(things(takes)).to.deep.equal(['aa bb', 'c', 'dddddd', 'e']);
  });

  it('fails each of a take that fails, and goes on', async () => {
    const { receive, takes } = gathering();
    const failed = [receive('a'), receive('b')].map((one) => one.catch((error: unknown) => error));
    await settled();
    const next = receive('c');
    const why = new Error('why');
    takes[0]?.end.reject(why);
    expect(await Promise.all(failed)).to.deep.equal([why, why]);
    await settled();
    upper(takes[1]);
    expect(await next).to.equal('C');
  });

  it('does not wait for a take that is overdue, but for so many such at most', async () => {
    const { receive, takes, giveUp } = gathering({ mostTakes: 2 });
    const stuck = receive('stuck');
    await settled();
    const second = receive('second');
    await giveUp();
    expect(things(takes)).to.deep.equal(['stuck', 'second']);
    const third = receive('third');
    await giveUp();
    expect(takes).to.have.length(2);
    upper(takes[0]);
    await settled();
    expect(things(takes)).to.deep.equal(['stuck', 'second', 'third']);
    upper(takes[1]);
    upper(takes[2]);
    expect(await Promise.all([stuck, second, third])).to.deep.equal(['STUCK', 'SECOND', 'THIRD']);
  });
});
