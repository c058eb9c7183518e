import { expect } from 'chai';
import { readFrame } from '../../../hl7/io/frame.ts';
import { readReportMessage } from '../../../ris/rules/report.ts';
import { SETTINGS } from '../../support/hl7-messages.ts';
import { needsRealData, sharedCase } from '../../support/real-data.ts';

const read = (name: string) => {
  // Where a patient's number is looked for is told elsewhere.
  const raw = sharedCase(name).toString('latin1').replace('PID|1|||107601|', 'PID|1||107601||');
  const { message, problem } = readFrame(Buffer.from(raw, 'latin1'));
  expect(problem).to.equal(null);
  if (message === null) throw new Error('was not read');
  return readReportMessage(message, SETTINGS);
};
const attachments = (name: string) =>
  read(name).reports.flatMap((report) =>
    report.attachments.map(({ contentType, base64 }) => [
      contentType,
      Buffer.from(base64, 'base64').toString('latin1'),
    ]),
  );
const isWholePdf =
  /^%PDF-1\.4\n1 0 obj<<\/Type\/Catalog\/Pages 2 0 R>>endobj\n2 0 obj<<\/Type\/Pages[^]*trailer[^]*%%EOF\n$/;

describe('the reports that ended wrong in the field', () => {
  before(function () {
    needsRealData(this, 'cases');
  });

  it('are read where one RTF is that of two procedures', () => {
    const { reports } = read('voyager/report-two-procedures-rtf.hl7');
    expect(reports.map(({ study, status }) => [study.accessionNumber, status])).to.deep.equal([
      ['193901-CT', 'final'],
      ['193901-CR', 'final'],
    ]);
    for (const { body, sections, attachments: kept } of reports) {
      expect(body).to.match(
        /^CT BRAIN\n\nClinical indication: Fall\.\nFindings: No haemorrhage\. Lesion 4µm; café-au-lait ≥5 mm\.\tok\n/,
      );
      expect(body).not.to.match(/[\\{}]|Riched/);
      expect(sections.map(({ kind }) => kind)).to.deep.equal(['other', 'history', 'findings', 'impression']);
      expect(kept.map(({ contentType }) => contentType)).to.deep.equal(['application/rtf']);
    }
  });

  for (const name of ['H04a-ed-pdf-in-first-component', 'H05-pdf-as-other-type', 'H06-pdf-in-two-obx']) {
    it(`are read where a PDF is not where it should be: ${name}`, () => {
      const [[contentType = '', content = ''] = [], another] = attachments(`messages/${name}.hl7`);
      expect([contentType, another]).to.deep.equal(['application/pdf', undefined]);
      expect(content).to.match(isWholePdf);
      expect(read(`messages/${name}.hl7`).reports.map(({ body }) => body)).to.deep.equal(['']);
    });
  }

  for (const [name, body, kept] of [
    ['H04b-ed-with-plain-text', 'Chest radiograph, PA view.\nNo consolidation.\nDr A Reader', []],
    ['H08-auspdi-display-segments', 'X-RAY CHEST\nLungs clear.\nHeart < 50%.', ['text/html', 'application/pdf']],
    ['H09-rtf-as-ft', 'CT CHEST\n\nNo nodule seen.\nDr A Reader', ['application/rtf']],
    ['H10-msh18-utf8-bytes-1252', 'Angle 30°, size 4×5 mm - café-au-lait spot.', []],
  ] as const) {
    it(`are words: ${name}`, () => {
      const [report, another] = read(`messages/${name}.hl7`).reports;
      expect([report?.body, another]).to.deep.equal([body, undefined]);
      expect(attachments(`messages/${name}.hl7`).map(([contentType]) => contentType)).to.deep.equal(kept);
    });
  }

  for (const name of ['H20-linked-exams-one-report', 'D03-reports-of-group-case']) {
    it(`are those of both studies: ${name}`, () => {
      expect(read(`messages/${name}.hl7`).reports.map(({ status, body }) => [status, body])).to.deep.equal([
        ['final', 'CT chest and abdomen: normal.'],
        ['final', 'CT chest and abdomen: normal.'],
      ]);
    });
  }
});
