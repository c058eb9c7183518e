import { expect } from 'chai';
import fc from 'fast-check';
import { decodeHl7, encodeHl7 } from '../../../hl7/rules/charset.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';
import { createMllpDecoder, mllpFrame } from '../../../hl7/rules/mllp.ts';

const header = (charset: string): string =>
  `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|1|P|2.5.1||||||${charset}`;
const withName = (charset: string, name: string): string => `${header(charset)}\rPID|||1||${name}\r`;

describe('HL7 character sets', () => {
  it('reads 8859/1 by MSH-18', () => {
    const text = withName('8859/1', 'Müller^Zoë');
    expect(decodeHl7(Buffer.from(text, 'latin1'))).to.equal(text);
  });

  it('reads UTF-8 by MSH-18, and by none', () => {
    for (const charset of ['UNICODE UTF-8', 'UTF-8', '']) {
      const text = withName(charset, 'Nguyễn^Đức');
      expect(decodeHl7(Buffer.from(text, 'utf8')), charset).to.equal(text);
    }
  });

  it('reads other parts of 8859', () => {
    const bytes = Buffer.concat([
      Buffer.from(`${header('8859/5')}\rPID|||1||`),
      Buffer.of(0xb8, 0xd2),
      Buffer.of(0x0d),
    ]);
    expect(decodeHl7(bytes)).to.equal(withName('8859/5', 'Ив'));
  });

  it('without MSH-18 takes what is no valid UTF-8 as 8859/1', () => {
    const text = withName('', 'Müller^Zoë');
    expect(decodeHl7(Buffer.from(text, 'latin1'))).to.equal(text);
  });

  it('takes the first of several character sets', () => {
    const text = withName('UNICODE UTF-8~8859/1', 'Zoë');
    expect(decodeHl7(Buffer.from(text, 'utf8'))).to.equal(text);
  });

  it('reads a character set that is named in lower case', () => {
    const text = withName('unicode utf-8', 'Zoë');
    expect(decodeHl7(Buffer.from(text, 'utf8'))).to.equal(text);
  });

  for (const [charset, bytes] of [
    ['ISO_IR 100', 'latin1'],
    ['ISO-8859-1', 'latin1'],
    ['8859-1', 'latin1'],
    ['windows-1252', 'latin1'],
    ['Latin1', 'latin1'],
    ['US-ASCII', 'latin1'],
    ['ISO IR6', 'latin1'],
    ['ISO_IR 192', 'utf8'],
    ['UNICODE', 'utf8'],
    ['utf8', 'utf8'],
  ] as const) {
    it(`reads a character set that is called ${charset}`, () => {
      const text = withName(charset, 'Müller');
      expect(decodeHl7(Buffer.from(text, bytes))).to.equal(text);
    });
  }

  it('refuses a character set it does not know, naming MSH-18 and not the value', () => {
    expect(() => decodeHl7(Buffer.from(withName('KLINGON', 'Zoë'), 'latin1')))
      .to.throw(Hl7Rejection)
      .that.includes({ errorCode: 103, message: 'MSH-18 is a character set that is not known' })
      .and.has.deep.property('location', { segment: 'MSH', ordinal: 1, field: 18 });
  });

  it('reads one it does not know where there is nothing to guess: plain letters and UTF-8', () => {
    for (const name of ['Doe^Jane', 'Müller^Zoë', 'Nguyễn^Đức']) {
      const text = withName('AUS', name);
      expect(decodeHl7(Buffer.from(text, 'utf8'))).to.equal(text);
    }
  });

  for (const [charset, name, encoding] of [
    ['UNICODE UTF-8', 'Müller^Zoë 30° 4×5', 'latin1'],
    ['UTF-8', 'café-au-lait', 'latin1'],
    ['8859/1', 'Nguyễn^Đức 30°', 'utf8'],
    ['ASCII', 'Zoë', 'utf8'],
    ['8859/15', 'Zoë', 'utf8'],
    ['UNICODE UTF-16', 'Zoë', 'utf8'],
    ['UNICODE UTF-16', 'Zoë', 'latin1'],
    ['UNICODE UTF-32', 'Zoë', 'utf8'],
    ['windows-1252', 'Zoë', 'utf8'],
    ['x-cp1252', 'Zoë', 'latin1'],
    ['ISO 2022 IR 100', 'Zoë', 'latin1'],
  ] as const) {
    it(`reads what the bytes are where MSH-18 says ${charset} of ${encoding}`, () => {
      const text = withName(charset, name);
      expect(decodeHl7(Buffer.from(text, encoding))).to.equal(text);
    });
  }

  it('reads the smart quotes and dashes of windows-1252 under UTF-8 and 8859/1', () => {
    for (const charset of ['UNICODE UTF-8', '8859/1']) {
      const bytes = Buffer.concat([Buffer.from(withName(charset, '')), Buffer.of(0x93, 0x35, 0x96, 0x36, 0x94, 0x80)]);
      expect(decodeHl7(bytes)).to.equal(`${withName(charset, '')}“5–6”€`);
    }
  });

  it('keeps what is UTF-8 where only some bytes are none', () => {
    const bytes = Buffer.concat([
      Buffer.from(withName('UNICODE UTF-8', 'Nguyễn^𠮷')),
      Buffer.from('OBX|1|TX|||café\r', 'latin1'),
    ]);
    expect(decodeHl7(bytes)).to.equal(`${withName('UNICODE UTF-8', 'Nguyễn^𠮷')}OBX|1|TX|||café\r`);
  });

  it('never makes U+FFFD of any bytes, whatever MSH-18 says', () => {
    const charset = fc.constantFrom(
      'UNICODE UTF-8',
      '8859/1',
      '8859/3',
      '8859/7',
      'ASCII',
      'BIG-5',
      'GB 18030-2000',
      '',
    );
    fc.assert(
      fc.property(charset, fc.uint8Array({ maxLength: 40 }), (name, rest) => {
        const bytes = Buffer.concat([Buffer.from(`${header(name)}\r`), Buffer.from(rest)]);
        fc.pre(!bytes.includes(Buffer.from('\ufffd')));
        expect(decodeHl7(bytes)).not.to.contain('\ufffd');
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps a character whose bytes were cut apart on their way', () => {
    const text = withName('UNICODE UTF-8', '東京^Zoë^𠮷');
    const frame = mllpFrame(Buffer.from(text, 'utf8'));
    for (let at = 0; at <= frame.length; at += 1) {
      const decoder = createMllpDecoder(4096);
      const [event] = [...decoder.push(frame.subarray(0, at)), ...decoder.push(frame.subarray(at))];
      expect(event?.kind === 'frame' ? decodeHl7(event.bytes) : event, `cut at ${at}`).to.equal(text);
    }
  });

  it('gives text for any bytes at all, or an Hl7Rejection', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc
        .tuple(fc.string(), fc.uint8Array())
        .map(([charset, rest]) => Buffer.concat([Buffer.from(header(charset)), rest])),
    );
    fc.assert(
      fc.property(bytes, (raw) => {
        try {
          expect(decodeHl7(Buffer.from(raw)).isWellFormed()).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(Hl7Rejection);
        }
      }),
    );
  });

  it('writes an acknowledgment in the character set it names', () => {
    for (const [charset, encoding] of [
      ['8859/1', 'latin1'],
      ['UNICODE UTF-8', 'utf8'],
      ['', 'utf8'],
    ] as const) {
      const text = withName(charset, 'Zoë');
      expect(encodeHl7(text).equals(Buffer.from(text, encoding)), charset).to.equal(true);
    }
  });

  it('writes a question mark for what the named character set does not have', () => {
    expect(encodeHl7(withName('8859/1', '東')).toString('latin1')).to.equal(withName('8859/1', '?'));
    expect(encodeHl7(withName('ISO-8859-1', 'ë')).toString('latin1')).to.equal(withName('ISO-8859-1', 'ë'));
    expect(encodeHl7(withName('8859/15', 'ë')).toString('latin1')).to.equal(withName('8859/15', '?'));
    expect(encodeHl7(withName('ASCII', 'Zoë𠮷')).toString('latin1')).to.equal(withName('ASCII', 'Zo??'));
  });
});
