import { expect } from 'chai';
import fc from 'fast-check';
import { createMllpDecoder, mllpFrame, type MllpEvent } from '../../../hl7/rules/mllp.ts';

const LIMIT = 1000;

/** `stream` in pieces, cut at `cuts` (each taken modulo the length). */
function pieces(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => stream.subarray(from, places[index] ?? stream.length));
}

function decode(stream: Buffer, cuts: readonly number[] = [], limit = LIMIT): MllpEvent[] {
  const decoder = createMllpDecoder(limit);
  return pieces(stream, cuts).flatMap((piece) => decoder.push(piece));
}

const frames = (events: readonly MllpEvent[]): string[] =>
  events.flatMap((event) => (event.kind === 'frame' ? [event.bytes.toString('hex')] : []));

const kinds = (events: readonly MllpEvent[]): string[] => events.map(({ kind }) => kind);

// A message's bytes: anything but the frame's own 0B, and no 1C 0D within.
const payload = fc
  .uint8Array({ maxLength: 60 })
  .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0b && byte !== 0x1c)));
const between = fc.array(fc.constantFrom(0x00, 0x09, 0x0a, 0x0d, 0x20, 0x1c), { maxLength: 4 });
const cuts = fc.array(fc.nat(2000), { maxLength: 30 });

describe('MLLP framing', () => {
  it('gives frames back unchanged and in order, whatever lies between them and wherever the bytes are cut', () => {
    const sent = fc.array(fc.record({ payload, before: between, after: between, doubled: fc.boolean() }));
    fc.assert(
      fc.property(sent, cuts, (messages, at) => {
        const stream = Buffer.concat(
          messages.flatMap(({ payload: bytes, before, after, doubled }) => [
            Buffer.from(before),
            doubled ? Buffer.of(0x0b) : Buffer.of(),
            mllpFrame(bytes),
            doubled ? Buffer.of(0x1c, 0x0d) : Buffer.of(),
            Buffer.from(after),
          ]),
        );
        const events = decode(stream, at);
        expect(frames(events)).to.deep.equal(messages.map(({ payload: bytes }) => bytes.toString('hex')));
        expect(kinds(events)).not.to.include('garbage');
      }),
    );
  });

  it('never throws, and gives the same frames for one stream however it is cut, for any bytes at all', () => {
    const noisy = fc.array(fc.oneof(fc.constantFrom(0x0b, 0x1c, 0x0d), fc.integer({ min: 0, max: 255 })), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(noisy, cuts, (bytes, at) => {
        const stream = Buffer.from(bytes);
        expect(frames(decode(stream, at, 20))).to.deep.equal(frames(decode(stream, [], 20)));
      }),
    );
  });

  it('never gives a frame above the limit', () => {
    fc.assert(
      fc.property(fc.array(payload), fc.integer({ min: 1, max: 40 }), cuts, (messages, limit, at) => {
        const events = decode(Buffer.concat(messages.map(mllpFrame)), at, limit);
        expect(kinds(events)).to.deep.equal(messages.map(({ length }) => (length > limit ? 'too-large' : 'frame')));
      }),
    );
  });

  it('takes a frame of exactly the limit', () => {
    expect(kinds(decode(mllpFrame(Buffer.alloc(LIMIT, 'x'))))).to.deep.equal(['frame']);
    expect(kinds(decode(mllpFrame(Buffer.alloc(LIMIT + 1, 'x'))))).to.deep.equal(['too-large']);
  });

  it('keeps a lone 1C that is part of the message, also where the bytes are cut around it', () => {
    const message = Buffer.from('a\x1cb\x1cc');
    for (let at = 0; at < message.length + 3; at += 1) {
      expect(frames(decode(mllpFrame(message), [at]))).to.deep.equal([message.toString('hex')]);
    }
  });

  it('takes a frame whose end has no 0D where the next frame begins at once', () => {
    const events = decode(Buffer.from('\x0bone\x1c\x0btwo\x1c\r'));
    expect(frames(events)).to.deep.equal(['one', 'two'].map((text) => Buffer.from(text).toString('hex')));
  });

  it('takes an end with 0A in place of 0D', () => {
    const events = decode(Buffer.from('\x0bone\x1c\n\x0btwo\x1c\r'));
    expect(events.map((event) => event.kind === 'frame' && event.bytes.toString())).to.deep.equal(['one', 'two']);
  });

  it('takes an end without its 0D where it is told that nothing follows, and the 0D later', () => {
    const decoder = createMllpDecoder(LIMIT);
    expect(decoder.push(Buffer.from('\x0bone\x1c'))).to.deep.equal([]);
    expect(decoder.maybeEnded).to.equal(true);
    expect(decoder.settle()).to.deep.equal([{ kind: 'frame', bytes: Buffer.from('one') }]);
    expect([decoder.inside, decoder.maybeEnded]).to.deep.equal([false, false]);
    expect(decoder.push(Buffer.from('\r\x0btwo'))).to.deep.equal([]);
    expect(decoder.settle()).to.deep.equal([]);
    expect(frames(decoder.push(Buffer.from('\x1c\r')))).to.have.length(1);
  });

  it('calls what came before a 0B within a frame garbage, and takes what follows it', () => {
    const events = decode(Buffer.from('\x0bhalf a mess\x0bwhole\x1c\r'));
    expect(events).to.deep.equal([
      { kind: 'garbage', bytes: 11 },
      { kind: 'frame', bytes: Buffer.from('whole') },
    ]);
  });

  it('counts bytes outside frames as garbage', () => {
    expect(decode(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).to.deep.equal([{ kind: 'garbage', bytes: 12 }]);
  });

  it('says once that a frame is too large, as it passes the limit, with how it begins', () => {
    const decoder = createMllpDecoder(10);
    expect(decoder.push(Buffer.from('\x0bMSH|^~\\&|'))).to.deep.equal([]);
    expect(decoder.push(Buffer.from('RIS'))).to.deep.equal([{ kind: 'too-large', head: Buffer.from('MSH|^~\\&|RIS') }]);
    expect(decoder.push(Buffer.from('more of it'))).to.deep.equal([]);
    expect(decoder.push(Buffer.from('end\x1c\r\x0bnext\x1c\r'))).to.deep.equal([
      { kind: 'frame', bytes: Buffer.from('next') },
    ]);
  });

  it('does not hold in memory what it throws away of a too large frame', () => {
    const decoder = createMllpDecoder(100_000);
    const chunk = Buffer.alloc(65_536, 'x');
    const before = process.memoryUsage().arrayBuffers;
    decoder.push(Buffer.of(0x0b));
    const events = Array.from({ length: 3000 }, () => decoder.push(chunk)).flat();
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(20_000_000);
    expect(events).to.have.length(1);
    expect(events[0]).to.have.property('kind', 'too-large');
    expect(events[0]).to.have.property('head').with.length(4096);
  });

  it('holds a frame that comes byte by byte in little more than its size', () => {
    const decoder = createMllpDecoder(10_000_000);
    const byte = Buffer.of(0x78);
    const before = process.memoryUsage().heapUsed;
    decoder.push(Buffer.of(0x0b));
    for (let sent = 0; sent < 1_000_000; sent += 1) decoder.push(byte);
    expect(process.memoryUsage().heapUsed - before).to.be.lessThan(60_000_000);
    expect(decoder.held).to.equal(1_000_000);
    const [frame] = decoder.push(Buffer.from('\x1c\r'));
    expect(frame).to.have.property('bytes').with.length(1_000_000);
  });

  it('says whether it is inside a frame and what it holds of it', () => {
    const decoder = createMllpDecoder(10);
    const states = ['\0', '\x0b', 'abc', 'def\x1c', '\r', '\x0bmore than ten', ' more', '\x1c\r'].map((bytes) => {
      decoder.push(Buffer.from(bytes));
      return [decoder.inside, decoder.held];
    });
    expect(states).to.deep.equal([
      [false, 0],
      [true, 0],
      [true, 3],
      [true, 6],
      [false, 0],
      [true, 0],
      [true, 0],
      [false, 0],
    ]);
  });

  it('does not change a frame when the chunk it came in is overwritten afterwards', () => {
    const decoder = createMllpDecoder(LIMIT);
    const chunk = Buffer.from('\x0bfirst half,');
    decoder.push(chunk);
    chunk.fill('?');
    expect(frames(decoder.push(Buffer.from(' second\x1c\r')))).to.deep.equal([
      Buffer.from('first half, second').toString('hex'),
    ]);
  });
});
