import { expect } from 'chai';
import { hl7AnswerLabel, hl7TypeLabel } from '../../../monitoring/rules/gauges.ts';

describe('the labels of metrics', () => {
  it('tell the HL7 messages apart that are taken', () => {
    expect(hl7TypeLabel('ORM', 'O01')).to.equal('ORM^O01');
    expect(hl7TypeLabel('ORM', '')).to.equal('ORM^O01');
    expect(hl7TypeLabel('ORU', '')).to.equal('ORU^R01');
    expect(hl7TypeLabel('ADT', 'A40')).to.equal('ADT^A40');
  });

  it('say other of everything a sender may write besides', () => {
    for (const [type, event] of [
      ['', ''],
      ['', 'O01'],
      ['ORM', 'O02'],
      ['ADT', ''],
      ['ADT', 'A99'],
      ['OR', ''],
      ['DOE^JANE', 'SECRET'],
      ['__proto__', ''],
    ] as const) {
      expect(hl7TypeLabel(type, event), `${type} ${event}`).to.equal('other');
    }
  });

  it('know the answer by MSA-1 alone', () => {
    expect(hl7AnswerLabel('MSH|^~\\&|A\rMSA|AR|1|no\r')).to.equal('AR');
    expect(hl7AnswerLabel('MSH|^~\\&|A\rMSA|AA|1\r')).to.equal('AA');
    expect(hl7AnswerLabel('MSH|^~\\&|MSA|AA')).to.equal('none');
    expect(hl7AnswerLabel('')).to.equal('none');
  });
});
