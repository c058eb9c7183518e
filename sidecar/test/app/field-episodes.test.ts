import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { z } from 'zod';
import { newApiKey } from '../../access/io/api-keys.ts';
import { cStore } from '../../dev/modality.ts';
import { ctSeries } from '../../dev/phantoms.ts';
import { tagsOfDump } from '../support/dicom-dump.ts';
import { orthancRest } from '../support/orthanc-rest.ts';
import { needsRealData, sharedCase, sharedEpisode } from '../support/real-data.ts';
import { eventually, startRig, type Rig } from '../support/rig.ts';

const WRITTEN = /\b(202611|202612)(\d\d)(\d\d)(\d\d)(\d\d)\b/g;
const LATEST = Date.UTC(2026, 11, 1, 5);

/** The message with its times moved so that it is news whenever this runs. */
function asOfToday(message: string, now: Date): string {
  return message.replace(WRITTEN, (_, month: string, day: string, hour: string, minute: string, second: string) => {
    const written = Date.UTC(2026, Number(month.slice(4)) - 1, ...[day, hour, minute, second].map(Number));
    const at = new Date(now.getTime() - (LATEST - written)).toISOString();
    return `${at.replace(/[-T:]|\..*/g, '')}+0000`;
  });
}

const ROW = z.object({
  accession: z.string(),
  patient: z.string(),
  pictures: z.number(),
  text: z.string().nullable(),
  dicom: z.string().nullable(),
});
const STUDIES = `
SELECT s.accession_number AS accession, p.external_id AS patient, m.state || coalesce(': ' || m.reason, '') AS text,
       (SELECT count(*)::int FROM dicom_study_links l JOIN series e ON e.dicom_study_id = l.dicom_study_id JOIN images i ON i.series_id = e.id
        WHERE l.study_id = s.id) AS pictures,
       (SELECT string_agg(d.status || coalesce(' contested: ' || d.contested, ''), ' + ') FROM dicom_studies d
        WHERE d.status <> 'deleted' AND (d.study_id = s.id OR s.id = ANY (d.candidate_ids)
          OR EXISTS (SELECT 1 FROM dicom_study_links l WHERE l.dicom_study_id = d.id AND l.study_id = s.id))) AS dicom
FROM studies s JOIN patients p ON p.id = s.patient_id LEFT JOIN sms_messages m ON m.study_id = s.id
WHERE s.source = 'ris' AND s.accession_number = ANY ($1) ORDER BY 1`;

/** What an order says so that a report may be texted. */
const orderOf = (report: string): string =>
  report
    .replace(/\r$/, '')
    .replace('ORU^R01|', 'ORM^O01|O')
    .replace(/OBR\|1\|[^\r]*/, (obr) => `ORC|NW|P\r${obr.replace(/\|F$/, '')}`)
    .replace(/\rOBX[^\r]*/g, '')
    .concat('\r');

describe('episodes from the field, with the real servers', () => {
  let rig: Rig;
  const { key, entry } = newApiKey('operator', randomBytes(32));
  before(async function () {
    needsRealData(this, 'cases');
    rig = await startRig({
      SMS_HOURS: '00:00-24:00',
      OPERATOR_API_KEYS: entry,
      LINK_BY_ACCESSION_ALONE: 'BLANK',
      TEXT_WITHOUT_ORDER: 'true',
    });
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const studyUid = (folder: string): string => {
    const dump = sharedEpisode(folder).find(({ name }) => name.endsWith('.dcmdump'));
    return tagsOfDump(dump?.text ?? '').StudyInstanceUID;
  };
  const operate = async (path: string, body: object): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${rig.sidecar.httpPort}/api/operator/${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ who: 'Ann', why: 'trial', ...body }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  };
  const inOrthanc = async (uid: string): Promise<string> => {
    const found = await orthancRest(rig.orthanc, 'POST', '/tools/find', {
      Level: 'Study',
      Query: { StudyInstanceUID: uid },
    });
    return z.array(z.string()).min(1).parse(found)[0] ?? '';
  };
  const act = async (folder: string, text: string): Promise<void> => {
    const uid = studyUid(folder);
    const link = /^axis link UID (\S+)/.exec(text)?.[1];
    const changed = /^modify the study in Orthanc (\{.*\})/.exec(text)?.[1];
    if (link !== undefined) await operate(`studies/${uid}/link`, { accessionNumber: link });
    else if (text.startsWith('axis unlink')) await operate(`studies/${uid}/unlink`, {});
    else if (text.startsWith('axis release')) await operate(`studies/${uid}/release`, {});
    else if (text.startsWith('delete the study'))
      await orthancRest(rig.orthanc, 'DELETE', `/studies/${await inOrthanc(uid)}`);
    else if (changed !== undefined) {
      const Replace: unknown = JSON.parse(changed);
      await orthancRest(rig.orthanc, 'POST', `/studies/${await inOrthanc(uid)}/modify`, {
        Replace,
        KeepSource: false,
        Synchronous: true,
      });
    } else if (!text.startsWith('axis show')) throw new Error(`an act that is not known: ${text}`);
  };

  /** Plays an episode, each step to its end; gives what stands for these accession numbers, and who was texted. */
  const play = async (folder: string, accessions: readonly string[], order?: (first: string) => string) => {
    const sent = rig.sandbox.messages.length;
    const now = new Date();
    const say = async (message: string): Promise<void> => {
      expect(await rig.ris.send(asOfToday(message, now)), folder).to.contain('MSA|AA');
      await rig.settled();
    };
    for (const [index, { name, text }] of sharedEpisode(folder).entries()) {
      if (name.endsWith('.hl7')) {
        if (index === 0 && order !== undefined) await say(order(text));
        await say(text);
      } else if (name.endsWith('.dcmdump')) {
        const tags = tagsOfDump(text);
        const image = ctSeries(tags, tags.SeriesInstanceUID, 1, 64);
        const isBlank = ['PatientID', 'PatientName', 'PatientBirthDate'].every((tag) => (tags[tag] ?? '') === '');
        const association = { port: rig.orthanc.dicomPort, calledAeTitle: rig.orthanc.aeTitle };
        const from = { callingAeTitle: isBlank ? 'BLANK' : 'MODALITY' };
        expect(await cStore(image, { ...association, ...from })).to.include({ ok: true });
      } else await act(folder, text);
      await rig.settled();
    }
    const studies = Object.fromEntries(
      (await rig.rows(STUDIES, ROW, [accessions])).map(({ accession, ...row }) => [accession, row]),
    );
    return { studies, texts: rig.sandbox.messages.slice(sent).map(({ to }) => to) };
  };
  const isListed = async (subject: string): Promise<void> => {
    await eventually(`${subject} in the list`, async () => {
      const answer = await fetch(`http://127.0.0.1:${rig.sidecar.httpPort}/api/operator/work`, {
        headers: { Authorization: `Bearer ${key}` },
      });
      return (await answer.text()).includes(subject);
    });
  };

  it('2: images deleted and sent again with another accession number are that one’s', async () => {
    const { studies } = await play('2', ['M2A', 'M2B']);
    expect(studies['M2A']).to.deep.include({ pictures: 1, dicom: 'linked' });
    expect(studies['M2B']).to.deep.include({ pictures: 0, dicom: null });
  });

  for (const [folder, accession, patient] of [
    ['3a', 'M3A', 'b3'],
    ['3b', 'M3B', 'a3b'],
  ] as const) {
    // prettier-ignore
    it(`${folder}: what a person linked and later facts contradict is contested, held and listed`, async () => {
      const { studies, texts } = await play(folder, [accession]);
      expect(texts).to.deep.equal([]);
      expect(studies[accession]).to.deep.include({ patient });
      expect(studies[accession]?.text).to.match(/^held: study-/);
      expect(studies[accession]?.dicom).to.contain('contested');
      await isListed(studyUid(folder));
    });
  }

  it('4: a number that an ADT message deleted is not texted, whatever a report says', async () => {
    const { studies, texts } = await play('4', ['M4']);
    expect(texts).to.deep.equal([]);
    expect(studies['M4']).to.deep.include({ text: 'held: no-number' });
  });

  for (const [folder, accession] of [
    ['5A', 'M5A'],
    ['5B', 'M5B'],
    ['5M', 'M5M'],
  ] as const) {
    // prettier-ignore
    it(`${folder}: deleting or modifying the images frees no text`, async () => {
      const { studies, texts } = await play(folder, [accession]);
      expect(texts).to.deep.equal([]);
      expect(studies[accession]?.text).to.match(/^held: (images|study)-/);
    });
  }

  for (const [folder, accession] of [
    ['6', 'M6'],
    ['7a', 'M7A'],
  ] as const) {
    // prettier-ignore
    it(`${folder}: images that contradict the order are in review`, async () => {
      const { studies } = await play(folder, [accession]);
      expect(studies[accession]).to.deep.include({ pictures: 0, dicom: 'review' });
    });
  }

  it('8: a report of years ago is held and seen', async () => {
    const { studies, texts } = await play('8', ['M8'], orderOf);
    expect(texts).to.deep.equal([]);
    expect(studies['M8']).to.deep.include({ text: 'held: report-old' });
  });

  it('9: without an order the first report’s patient keeps the study', async () => {
    const { studies, texts } = await play('9', ['M9']);
    expect(texts).to.deep.equal(['+61412100013']);
    expect(studies['M9']).to.deep.include({ patient: 'a9', text: 'sent' });
  });

  it('10: a report without the accession number is found by the order’s numbers, and told of once', async () => {
    const { studies, texts } = await play('10', ['M10', 'F10', 'P10']);
    expect(Object.keys(studies)).to.deep.equal(['M10']);
    expect(texts).to.deep.equal(['+61412100015']);
  });

  it('11a: a number at work replaces nobody’s mobile', async () => {
    expect((await play('11a', ['M11'])).texts).to.deep.equal(['+61412100016']);
  });

  it('14: another patient’s withdrawn report hides nothing', async () => {
    expect((await play('14', ['M14'])).texts).to.deep.equal(['+61412100019']);
  });

  it('16a: a text that went to the number’s first owner is listed, and nobody is texted twice', async () => {
    const { texts } = await play('16a', ['M16']);
    expect(texts).to.deep.equal(['+61412100020']);
    await isListed('text-to-former-patient');
  });

  it('D01: an accession number corrected and sent again under the same UIDs counts', async () => {
    await play('D01', ['MD10', 'MD1O']);
    // Orthanc tells nobody of a file that it has: that is seen by looking.
    await eventually('the correction to count', async () => {
      const [study] = await rig.rows(STUDIES, ROW, [['MD10']]);
      return study?.pictures === 1 && study.dicom === 'linked';
    });
  }).timeout(90_000);

  it('D02: a first image without accession number is linked with the second', async () => {
    const { studies } = await play('D02', ['MD2']);
    expect(studies['MD2']).to.deep.include({ pictures: 2, dicom: 'linked' });
  });

  it('D03a: one scan that names two accession numbers is both orders’', async () => {
    const { studies, texts } = await play('D03a', ['MD3A', 'MD3B']);
    for (const accession of ['MD3A', 'MD3B'])
      expect(studies[accession]).to.deep.include({ pictures: 1, dicom: 'linked' });
    expect(texts).to.deep.equal(['+61412100024', '+61412100024']);
  });

  const tell = async (...names: readonly string[]): Promise<readonly string[]> => {
    const sent = rig.sandbox.messages.length;
    const now = new Date();
    for (const name of names) {
      const message = asOfToday(sharedCase(`messages/${name}.hl7`).toString('latin1'), now);
      expect(await rig.ris.send(message), name).to.contain('MSA|AA');
      await rig.settled();
    }
    return rig.sandbox.messages.slice(sent).map(({ to, body }) => `${to} ${body.replace(/.*ref=/, '')}`);
  };

  for (const [what, names, texts] of [
    ['H16: a patient who has died is not texted about', ['H16-deceased-1-adt', 'H16-deceased-2-oru'], []],
    [
      'H17: a mail address wipes no mobile',
      ['H17-phone-1-orm', 'H17-phone-2-oru-mail-only'],
      ['+61412345678 ACC70017'],
    ],
    [
      'H20: one report for two accession numbers is one text',
      ['H20-linked-exams-one-report'],
      ['+61412345678 ACC70020A'],
    ],
    [
      'H28: a draft addendum stops nothing',
      ['H28-addendum-1-final', 'H28-addendum-2-draft'],
      ['+61412345678 ACC70028'],
    ],
    ['H31: a final report without rows is held', ['H31-final-without-rows'], []],
    [
      'D03: one message for two orders is one text',
      ['D03-orders-of-group-case', 'D03-reports-of-group-case'],
      ['+61412345678 ACC70031A'],
    ],
  ] as const) {
    it(what, async () => {
      expect(await tell(...names)).to.deep.equal(texts);
    });
  }
});
