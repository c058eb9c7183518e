import { expect } from 'chai';
import fc from 'fast-check';
import { whoIsWho, type KnownIdentity, type Merge } from '../../../ris/rules/merges.ts';

const known = (id: string, externalId = id, issuer = 'CLINIC'): KnownIdentity => ({ id, externalId, issuer });
const say = (kind: Merge['kind'], priorId: string, survivorId: string): Merge => ({ kind, priorId, survivorId });
const [A, B, C, D] = [known('a'), known('b'), known('c'), known('d')];
const BARE = known('x', 'A', '');
const ends = (...said: Merge[]) => Object.fromEntries(whoIsWho([A, B, C, D], said).canonical);

describe('a merge that is taken back', () => {
  const [intoB, intoC] = [say('merge', 'a', 'b'), say('merge', 'b', 'c')];

  it('leaves each as it was, whichever is named first', () => {
    for (const apart of [say('apart', 'a', 'b'), say('apart', 'b', 'a')]) {
      expect(ends(intoB, apart)).to.include({ a: 'a', b: 'b' });
      expect(ends(apart, intoB)).to.include({ a: 'b', b: 'b' });
      expect(ends(intoB, intoC, apart)).to.include({ a: 'a', b: 'c' });
      expect(ends(intoB, say('merge', 'b', 'a'), apart)).to.include({ a: 'a', b: 'b' });
    }
  });

  it('takes back no merge with anybody else', () => {
    expect(ends(intoB, say('apart', 'a', 'c'))).to.include({ a: 'b' });
    expect(ends(intoC, say('apart', 'a', 'b'))).to.include({ b: 'c' });
  });

  it('cuts a chain where the one that was merged begins, and both of two that were merged into a third', () => {
    expect(ends(intoB, intoC, say('apart', 'c', 'a'))).to.include({ a: 'a', b: 'c', c: 'c' });
    expect(ends(say('merge', 'a', 'c'), intoC, say('apart', 'a', 'b'))).to.include({ a: 'a', b: 'b', c: 'c' });
  });
});

describe('numbers of one patient', () => {
  it('stand for the one that was named first the last time', () => {
    expect(ends(say('same', 'b', 'a'))).to.include({ a: 'a', b: 'a', c: 'c' });
    expect(ends(say('same', 'b', 'a'), say('same', 'a', 'b'))).to.include({ a: 'b', b: 'b' });
    expect(ends(say('same', 'b', 'a'), say('same', 'c', 'b'))).to.include({ a: 'b', b: 'b', c: 'b' });
    expect(ends(say('same', 'b', 'a'), say('merge', 'a', 'b'))).to.include({ a: 'b', b: 'b' });
  });

  it('are all carried by a merge of one of them', () => {
    for (const prior of ['a', 'b']) {
      expect(ends(say('same', 'b', 'a'), say('merge', prior, 'c'))).to.include({ a: 'c', b: 'c' });
      expect(ends(say('merge', prior, 'c'), say('same', 'b', 'a'))).to.include({ a: 'c', b: 'c' });
      expect(ends(say('same', 'b', 'a'), say('merge', 'c', prior))).to.include({ a: 'a', c: 'a' });
    }
  });

  it('are two again where somebody says so later, by way of a third number too', () => {
    expect(ends(say('same', 'b', 'a'), say('apart', 'a', 'b'))).to.include({ a: 'a', b: 'b' });
    expect(ends(say('apart', 'a', 'b'), say('same', 'b', 'a'))).to.include({ a: 'a', b: 'a' });
    expect(ends(say('same', 'b', 'a'), say('same', 'd', 'a'), say('apart', 'a', 'b'))).to.include({ b: 'b', d: 'a' });
    const three = [say('same', 'a', 'c'), say('same', 'b', 'c')];
    expect(ends(...three, say('apart', 'a', 'b'))).to.include({ a: 'a', b: 'b', c: 'c' });
    expect(ends(...three, say('same', 'd', 'c'), say('apart', 'a', 'b'))).to.include({ d: 'c', c: 'c' });
  });

  it('are not one where two people are told apart, or a person took it back, but by a merge', () => {
    const differ = whoIsWho([A, B], [say('same', 'b', 'a')], () => false);
    expect(Object.fromEntries(differ.canonical)).to.deep.equal({ a: 'a', b: 'b' });
    for (const parted of [say('parted', 'a', 'b'), say('parted', 'b', 'a')]) {
      expect(ends(parted, say('same', 'b', 'a'))).to.include({ a: 'a', b: 'b' });
      expect(ends(parted, say('same', 'c', 'a'))).to.include({ a: 'a', c: 'a' });
      expect(ends(parted, say('merge', 'b', 'a'))).to.include({ a: 'a', b: 'a' });
    }
  });

  it('tell which number each is the same as, before merges', () => {
    const { same } = whoIsWho([A, B, C, BARE], [say('same', 'b', 'x'), say('merge', 'a', 'c')]);
    expect(Object.fromEntries(same)).to.deep.equal({ a: 'a', b: 'a', c: 'c', x: 'a' });
  });
});

describe('a number without an assigning authority', () => {
  const bare = (...said: Merge[]) => Object.fromEntries(whoIsWho([A, B, BARE], said).canonical);

  it('carries whom it stands for, and whoever was merged into it', () => {
    expect(bare(say('merge', 'x', 'b'))).to.deep.equal({ a: 'b', b: 'b', x: 'b' });
    expect(bare(say('merge', 'b', 'x'))).to.deep.equal({ a: 'a', b: 'a', x: 'a' });
    expect(bare(say('merge', 'x', 'b'), say('apart', 'a', 'b'))).to.deep.equal({ a: 'a', b: 'b', x: 'a' });
  });

  it('carries nobody where two authorities have it, or it is somebody else', () => {
    const two = whoIsWho([A, B, BARE, known('y', 'A', 'OTHER')], [say('merge', 'x', 'b')]);
    expect(Object.fromEntries(two.canonical)).to.deep.equal({ a: 'a', b: 'b', x: 'b', y: 'y' });
    const other = whoIsWho([A, B, BARE], [say('merge', 'x', 'b')], () => false);
    expect(Object.fromEntries(other.canonical)).to.deep.equal({ a: 'a', b: 'b', x: 'b' });
  });
});

const IDENTITIES = [
  A, B, C, D, known('e', 'a', ''), known('f', 'b', ''), known('g', 'b', 'OTHER'), known('h', 'H', ''),
]; // prettier-ignore
const one = fc.constantFrom(...IDENTITIES.map(({ id }) => id));
const said = fc.array(
  fc
    .tuple(fc.constantFrom('merge' as const, 'same' as const, 'apart' as const, 'parted' as const), one, one)
    .map(([kind, prior, survivor]) => say(kind, prior, survivor)),
  { maxLength: 9 },
);
const shuffled = fc.shuffledSubarray(IDENTITIES, { minLength: IDENTITIES.length });

describe('merges and what takes them back, for any', () => {
  it('end in one that stands for itself, whatever the order of the identifiers', () => {
    fc.assert(
      fc.property(shuffled, said, (given, all) => {
        const { canonical, same } = whoIsWho(given, all);
        const inOrder = whoIsWho(IDENTITIES, all);
        for (const { id } of given) {
          const end = canonical.get(id) ?? '';
          expect(canonical.get(end)).to.equal(end);
          expect(canonical.get(same.get(id) ?? '')).to.equal(end);
          expect([end, same.get(id)]).to.deep.equal([inOrder.canonical.get(id), inOrder.same.get(id)]);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('hold where they are said last', () => {
    fc.assert(
      fc.property(said, one, one, (before, prior, survivor) => {
        const apart = whoIsWho(IDENTITIES, [...before, say('apart', prior, survivor)]).canonical;
        const isBare = `${prior}${survivor}` === 'ae' || `${prior}${survivor}` === 'ea';
        if (prior !== survivor && !isBare) expect(apart.get(prior)).not.to.equal(apart.get(survivor));
        const merged = whoIsWho(IDENTITIES, [...before, say('merge', prior, survivor)]).canonical;
        expect(merged.get(prior)).to.equal(merged.get(survivor));
      }),
      { numRuns: 1000 },
    );
  });
});
