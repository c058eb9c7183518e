import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { readFrame } from '../../hl7/io/listener.ts';
import { readOrder, readReport } from '../../ris/rules/read.ts';
import type { Hl7Message } from '../../hl7/rules/message.ts';
import { SETTINGS } from '../support/hl7-messages.ts';

const PAGE = readFileSync(new URL('../../../docs/voyager.md', import.meta.url), 'utf8');
const NOW = new Date('2026-07-14T04:00:00Z');

/** The first message on the page that has this type. */
function messageOf(type: string): Hl7Message {
  const fences = [...PAGE.matchAll(/```\n(MSH.*?)```/gs)].map(([, text = '']) => text);
  const text = fences.find((one) => one.includes(`|${type}|`)) ?? '';
  const { message, problem } = readFrame(Buffer.from(text.replaceAll('\n', '\r')));
  expect(problem).to.equal(null);
  if (message === null) throw new Error(`no ${type} on the page`);
  return message;
}

describe('the messages on the page of Voyager', () => {
  it('are an order that is taken as the page says', () => {
    const { saidAt, patients, orders } = readOrder(messageOf('ORM^O01'), SETTINGS, NOW);
    expect(saidAt.toISOString()).to.equal('2026-07-13T22:15:00.000Z');
    expect(patients).to.deep.equal([
      {
        externalId: '208811',
        issuer: 'PID-4 of Voyager',
        name: 'HOLLIS^MARGARET^^Mrs',
        birthDate: '1941-05-22',
        sex: 'F',
        phoneNumber: '+61491570006',
        phoneProblem: null,
        phones: { 14: { number: '+61491570006', rank: 3, problem: null, barred: [] } },
      },
    ]);
    expect(orders.map(({ status, study }) => ({ status, ...study }))).to.deep.equal([
      {
        status: 'active',
        accessionNumber: '640017-CT',
        placerOrderNumber: '640017-CT',
        fillerOrderNumber: '640017-CT',
        studyInstanceUid: undefined,
        modality: 'CT',
        procedureCode: '56001',
        procedureDescription: 'CT BRAIN',
        scheduled: { instant: new Date('2026-07-13T23:30:15Z'), localDate: '2026-07-14' },
      },
    ]);
  });

  it('are a report that is final for both examinations', () => {
    const { patients, reports } = readReport(messageOf('ORU^R01'), SETTINGS, NOW);
    expect(patients[0]).to.include({ externalId: '208811', issuer: 'PID-4 of VoyagerPACS' });
    expect(
      reports.map(({ report: { study, status } }) => [study.accessionNumber, study.modality, status]),
    ).to.deep.equal([
      ['640017-CT', 'CT', 'final'],
      ['640017-CR', 'CR', 'final'],
    ]);
    const [first, second] = reports.map(({ report: { body, attachments } }) => ({ body, attachments }));
    expect(first).to.deep.equal(second);
    expect(first?.body).not.to.include('REPORT_COMPLETE');
  });
});
