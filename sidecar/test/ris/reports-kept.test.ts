import { expect } from 'chai';
import { z } from 'zod';
import { mllpFrame } from '../../hl7/rules/mllp.ts';
import { base64, obx, rtf } from '../support/report-documents.ts';
import { PID, seg } from '../support/hl7-messages.ts';
import { startRig, type Rig } from '../support/rig.ts';

const KEPT = z.object({
  accession: z.string(),
  status: z.string(),
  body: z.string(),
  sections: z.array(z.object({ heading: z.string(), kind: z.string(), text: z.string() })).nullable(),
  types: z.array(z.string()),
});

describe('reports, as they are kept', () => {
  const started = new AsyncDisposableStack();
  let rig: Rig;
  before(async () => {
    rig = started.use(await startRig());
  });
  after(async () => {
    await started.disposeAsync();
  });

  const send = async (id: string, ...segments: string[]): Promise<void> => {
    const msh = `MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|2026040112000${id}||ORU^R01|R${id}|P|2.5.1`;
    rig.ris.write(mllpFrame(Buffer.from([msh, PID, ...segments].map((line) => `${line}\r`).join(''))));
    expect(await rig.ris.answer()).to.contain(`MSA|AA|R${id}`);
  };
  const kept = () =>
    rig.rows(
      `SELECT s.accession_number AS accession, r.status, r.body, r.sections,
              ARRAY(SELECT a.content_type FROM report_attachments a WHERE a.report_id = r.id ORDER BY a.ordinal) AS types
       FROM reports r JOIN studies s ON s.id = r.study_id ORDER BY s.accession_number, r.version`,
      KEPT,
    );
  const part = (accession: string, status: string): string => seg('OBR', { 18: accession, 25: status });
  const sections = [
    { heading: 'Findings', kind: 'findings', text: 'Clear, café 5 µm.' },
    { heading: 'Impression', kind: 'impression', text: 'Normal.' },
  ];
  const body = 'Findings: Clear, café 5 µm.\nImpression: Normal.';

  it('have body, sections and document, of each procedure that they are of', async () => {
    const document = obx('ED', `RIS^^.rtf^Base64^${base64(rtf(body.split('\n')))}`, { 11: 'P' });
    await send('1', part('ACC1', ''), part('ACC2', ''), document);
    const report = { status: 'preliminary', body, sections, types: ['application/rtf'] };
    expect(await kept()).to.deep.equal([
      { accession: 'ACC1', ...report },
      { accession: 'ACC2', ...report },
    ]);
  });

  it('keep body and sections where only their status is sent again', async () => {
    await send('2', part('ACC1', 'F'), obx('TX', '', { 11: 'U' }));
    expect((await kept()).filter(({ status }) => status === 'final')).to.deep.equal([
      { accession: 'ACC1', status: 'final', body, sections, types: [] },
    ]);
  });

  it('have letters and signs that JSON escapes, and no sections without words', async () => {
    await send('3', part('ACC3', 'F'), obx('TX', 'Opinion: “a\\E\\b” \\X22\\ 😀'));
    await send('4', part('ACC4', 'F'), obx('ED', `^AP^PDF^Base64^${base64('%PDF-1.4 %%EOF')}`));
    expect((await kept()).slice(-2)).to.deep.equal([
      {
        ...{ accession: 'ACC3', status: 'final', body: 'Opinion: “a\\b” " 😀', types: [] },
        sections: [{ heading: 'Opinion', kind: 'impression', text: '“a\\b” " 😀' }],
      },
      { accession: 'ACC4', status: 'final', body: '', sections: [], types: ['application/pdf'] },
    ]);
  });
});
