import { expect } from 'chai';
import fc from 'fast-check';
import { component, repetitions, segment } from '../../../hl7/rules/message.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';
import { Hl7Rejection } from '../../../hl7/rules/rejection.ts';

const MSH = 'MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|42|P|2.5.1';
const pid = (fields: string) => segment(parseHl7(`${MSH}\rPID|${fields}\r`), 'PID');

describe('HL7 parsing', () => {
  it('numbers the fields of MSH as the standard does: MSH-1 is the separator, MSH-2 the others', () => {
    const msh = segment(parseHl7(`${MSH}\r`), 'MSH');
    expect([1, 2, 3, 10, 12].map((field) => component(msh, field))).to.deep.equal(['|', '^~\\&', 'RIS', '42', '2.5.1']);
    expect(component(msh, 9, 2)).to.equal('A08');
  });

  it('takes repetitions, components and subcomponents apart', () => {
    expect(repetitions(pid('||A^^^HOSP&1.2&ISO^MR~B'), 3)).to.deep.equal([['A', '', '', 'HOSP', 'MR'], ['B']]);
  });

  it('gives empty text for what is absent', () => {
    expect(component(pid('1'), 30, 2, 5)).to.equal('');
    expect(component(undefined, 1)).to.equal('');
    expect(repetitions(pid('1'), 3)).to.deep.equal([]);
  });

  for (const [what, end] of [
    ['CR', '\r'],
    ['LF', '\n'],
    ['CR LF', '\r\n'],
  ] as const) {
    it(`takes segments ended by ${what}`, () => {
      const { segments } = parseHl7([MSH, 'PID|1', 'OBX|1', ''].join(end));
      expect(segments.map(({ name }) => name)).to.deep.equal(['MSH', 'PID', 'OBX']);
    });
  }

  it('reads the separators that the message itself names', () => {
    const message = parseHl7('MSH$*%/+$RIS$CLINIC\rPID$$$7*x%8$$O/F/Brien*Ann+e');
    expect(repetitions(segment(message, 'PID'), 3)).to.deep.equal([['7', 'x'], ['8']]);
    expect(repetitions(segment(message, 'PID'), 5)).to.deep.equal([['O$Brien', 'Ann']]);
  });

  it('resolves the escapes of the separators', () => {
    expect(component(pid('||||a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f'), 5)).to.equal('a|b^c&d~e\\f');
  });

  it('resolves line ends, hexadecimal bytes and highlighting', () => {
    expect(component(pid('||||one\\.br\\two\\X0D0A\\\\H\\bold\\N\\\\XE9\\'), 5)).to.equal('one\ntwo\r\nboldé');
  });

  it('reads hexadecimal bytes in the character set of the message', () => {
    const read = (charset: string, text: string) =>
      component(parseHl7(`${MSH}||||||${charset}\rNTE|1||${text}`).segments[1], 3);
    expect(read('UNICODE UTF-8', '\\XC3A9\\')).to.equal('é');
    expect(read('UNICODE UTF-8~8859/1', 'a\\XC3\\\\XA9\\b\\XC3A9\\')).to.equal('aébé');
    expect(read('UNICODE UTF-8', '\\XC3\\-\\XA9\\')).to.equal('Ã-©');
    expect(read('', '\\XC3A9\\\\XE9\\')).to.equal('Ã©é');
    expect(read('', '\\XC3A9\\ \\XE9\\')).to.equal('é é');
    expect(read('8859/1', '\\XC3A9\\')).to.equal('Ã©');
    expect(read('8859/2', '\\XA3\\')).to.equal('Ł');
    expect(read('KLINGON', '\\XE9\\')).to.equal('é');
    expect(read('8859/1', '\\XE9\\\\XE9')).to.equal('é\\XE9');
    expect(read('8859/1', '\\XE9\\\\F\\')).to.equal('é|');
  });

  it('resolves the formatting of FT', () => {
    for (const [command, meaning] of [
      ['.br', '\n'],
      ['.BR', '\n'],
      ['.ce', '\n'],
      ['.sp', '\n'],
      ['.sp0', '\n'],
      ['.sp2', '\n\n'],
      ['.sp 2', '\n\n'],
      ['.sp+3', '\n\n\n'],
      ['.sp999', '\n'.repeat(80)],
      ['.sk', ' '],
      ['.sk3', '   '],
      ['.in+4', ' '],
      ['.in-4', ' '],
      ['.ti 4', ' '],
      ['.fi', ' '],
      ['.nf', ' '],
      ['.xx', '\\.xx\\'],
      ['.br1x', '\\.br1x\\'],
      ['x.br', '\\x.br\\'],
    ] as const) {
      expect(component(pid(`||||a\\${command}\\b`), 5), command).to.equal(`a${meaning}b`);
    }
  });

  it('refuses a message that goes on in another', () => {
    for (const last of ['ADD|more', 'ADD|', 'DSC|1']) {
      expect(() => parseHl7(`${MSH}\rOBX|1\r${last}`), last)
        .to.throw(Hl7Rejection)
        .that.deep.includes({ errorCode: 100, location: { segment: last.slice(0, 3) } });
    }
    expect(parseHl7(`${MSH}\rOBX|1\rDSC|`).segments).to.have.length(3);
  });

  it('keeps an escape that it does not know, and one that is not closed', () => {
    expect(component(pid('||||a\\Zx\\b'), 5)).to.equal('a\\Zx\\b');
    expect(component(pid('||||C:\\temp'), 5)).to.equal('C:\\temp');
    expect(component(pid('||||a\\XZZ\\b\\F\\c'), 5)).to.equal('a\\XZZ\\b|c');
  });

  it('keeps the HL7 null as its two quotes', () => {
    expect(component(pid('||||""'), 5)).to.equal('""');
  });

  it('takes blank lines and a byte order mark before MSH', () => {
    expect(parseHl7(`\uFEFF${MSH}\r`).segments).to.have.length(1);
    expect(parseHl7(`\r\n \r${MSH}\r\rPID|1\r`).segments).to.have.length(2);
  });

  it('takes the lines of a text that a sender broke as one, whatever they begin with', () => {
    const lines = ['one', 'MRI shows no fracture', 'NAD', 'T2', 'see OBX|2', 'last|F'];
    const { segments } = parseHl7(`${MSH}\rOBX|1|TX|||${lines.join('\n')}\rNTE|1||a\r\nb\rOBX|2`);
    expect(segments.map(({ name }) => name)).to.deep.equal(['MSH', 'OBX', 'NTE', 'OBX']);
    expect(component(segments[1], 5)).to.equal('one\nMRI shows no fracture\nNAD\nT2\nsee OBX');
    expect(component(segments[2], 3)).to.equal('a\nb');
  });

  for (const [what, end] of [
    ['CR', '\r'],
    ['LF', '\n'],
    ['CR LF', '\r\n'],
  ] as const) {
    it(`takes a line that begins no segment, after ${what}, as one of the field before it, of any segment`, () => {
      const { segments } = parseHl7(
        [MSH, 'PID|1||P1', 'OBR|1|P|F||||||||||Cough', 'NAD', 'Ex-smoker, ?mass|||||ACC1', 'ZDS|1', ''].join(end),
      );
      expect(segments.map(({ name }) => name)).to.deep.equal(['MSH', 'PID', 'OBR', 'ZDS']);
      expect(component(segments[2], 13)).to.equal('Cough\nNAD\nEx-smoker, ?mass');
      expect(component(segments[2], 18)).to.equal('ACC1');
    });
  }

  it('takes a segment that says nothing, not even a separator, for one, unless it stands in a text', () => {
    const names = (text: string) => parseHl7(`${MSH}\r${text}`).segments.map(({ name }) => name);
    expect(names('PID|1\rPV1\rORC|NW')).to.deep.equal(['MSH', 'PID', 'PV1', 'ORC']);
    expect(names('OBX|1|TX|||a\rPV1\rOBX|2')).to.deep.equal(['MSH', 'OBX', 'OBX']);
  });

  it('takes the lines of a text by the separator of the message itself', () => {
    const { segments } = parseHl7('MSH$^~\\&$RIS\rOBX$1$TX$$$one\nOBX|two\nOBX$2');
    expect(segments.map((one) => component(one, 1))).to.deep.equal(['$', '1', '2']);
  });

  it('leaves out NULs, plain or escaped, which no database text can hold', () => {
    expect(component(pid('||||DO\0E\\X004100\\'), 5)).to.equal('DOEA');
  });

  for (const [what, text] of [
    ['an empty text', ''],
    ['what does not begin with MSH', 'PID|1\rMSH|^~\\&|'],
    ['MSH without separators', 'MSH'],
    ['a letter as the separator', 'MSHa^~\\&aRIS'],
    ['an empty MSH-2', 'MSH||RIS'],
    ['a line after MSH that is no segment', `${MSH}\rpid|1`],
    ['a second MSH', `${MSH}\rPID|1\r${MSH}`],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(() => parseHl7(text)).to.throw(Hl7Rejection);
    });
  }

  it('gives a message or an Hl7Rejection for any text, without NULs and well-formed', () => {
    const letters = fc.string({
      unit: fc.constantFrom('|', '^', '~', '\\', '&', '\r', '\n', '\0', 'X', '0', 'F', '.br', 'PID', 'é'),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          letters,
          letters.map((rest) => `${MSH}|${rest}`),
          fc.string(),
        ),
        (text) => {
          try {
            const { segments } = parseHl7(text);
            expect(segments[0]?.name).to.equal('MSH');
            expect(JSON.stringify(segments)).not.to.include('\\u0000');
          } catch (error) {
            expect(error).to.be.instanceOf(Hl7Rejection);
          }
        },
      ),
    );
  });

  it('gives any text back that was escaped as the standard says', () => {
    const escapes: Readonly<Record<string, string>> = {
      '|': '\\F\\',
      '^': '\\S\\',
      '&': '\\T\\',
      '~': '\\R\\',
      '\\': '\\E\\',
    };
    const value = fc.string({ minLength: 1, unit: fc.constantFrom('|', '^', '&', '~', '\\', 'a', 'é', '"', ' ') });
    fc.assert(
      fc.property(value, (text) => {
        const escaped = text.replace(/[|^&~\\]/g, (letter) => escapes[letter] ?? letter);
        expect(component(pid(`||||${escaped}|x`), 5)).to.equal(text);
      }),
    );
  });
});
