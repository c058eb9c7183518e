import { expect } from 'chai';
import fc from 'fast-check';
import { undoubleEscapes } from '../../../hl7/rules/doubled-escapes.ts';
import { parseHl7 } from '../../../hl7/rules/parse.ts';

const message = (separators: string, value: string): string => `MSH|${separators}|RIS\rOBX|1|FT|||${value}\r`;
const value = (text: string) => parseHl7(text).segments[1]?.fields[5]?.[0]?.[0]?.[0];

describe('a message whose backslashes were written twice', () => {
  it('is read as it was before, its escapes too', () => {
    expect(value(message('^~\\\\&', 'one\\\\.br\\\\\\\\.br\\\\two \\\\T\\\\ three'))).to.equal('one\n\ntwo & three');
    expect(value(message('^~\\\\&#', 'a \\\\P\\\\ b'))).to.equal('a # b');
  });

  it('is read with single backslashes where only MSH-2 has two', () => {
    expect(value(message('^~\\\\&', 'one\\.br\\\\.br\\two \\T\\ three'))).to.equal('one\n\ntwo & three');
    expect(value(message('^~\\\\&', 'C:\\\\x \\T\\'))).to.equal('C:\\\\x &');
  });

  it('is as it is where letters or a backslash stand for separators', () => {
    for (const text of ['MSH.br\\\\|', 'MSH\\||\\\\a']) expect(undoubleEscapes(text)).to.equal(text);
  });

  it('is any other message as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('\\', 'a', '|', '.br', '\r') }), (text) => {
        for (const one of [message('^~\\&', text), text, `MSH${text}`]) {
          if (!one.startsWith('MSH|') || one.startsWith('MSH|^~\\&|')) expect(undoubleEscapes(one)).to.equal(one);
        }
      }),
    );
  });
});
