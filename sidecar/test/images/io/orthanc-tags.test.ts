import { Readable } from 'node:stream';
import { expect } from 'chai';
import { createOrthanc, type Orthanc } from '../../../images/io/orthanc.ts';
import { ctSeries } from '../../../dev/phantoms.ts';
import { startOrthanc, type OrthancProcess } from '../../../dev/orthanc-process.ts';

describe('the tags of instances', () => {
  let orthancProcess: OrthancProcess;
  let orthanc: Orthanc;

  before(async () => {
    orthancProcess = await startOrthanc();
    const { url, username, password } = orthancProcess;
    orthanc = createOrthanc({ url, username, password, timeoutMs: 10_000, maxFileBytes: 2 ** 24 });
  });
  after(async () => {
    orthanc.close();
    await orthancProcess.stop();
  });

  const store = async (studyInstanceUid: string, patientId: string, series: string): Promise<string[]> => {
    const files = ctSeries(
      {
        StudyInstanceUID: studyInstanceUid,
        PatientID: patientId,
        PatientName: 'TEST^A',
        AccessionNumber: `A${series}`,
      },
      series,
      2,
      16,
    );
    const ids: string[] = [];
    for (const file of files) {
      const stored = await orthanc.store(Readable.from([file]), AbortSignal.timeout(10_000));
      if (stored.status === 'refused') throw new Error(stored.reason);
      ids.push(stored.orthancId);
    }
    return ids;
  };

  it('are those of the parents that each has, of many studies, of one UID under two patients and of UIDs that are none', async () => {
    const ids: string[] = [];
    for (let study = 0; study < 120; study += 1) ids.push(...(await store(`2.25.9${study}`, 'P1', `2.25.8${study}`)));
    ids.push(...(await store('2.25.91', 'P2', '2.25.7001')));
    ids.push(...(await store('2.25.9*', 'P3', '2.25.7002')));
    ids.push(...(await store('2.25.?1', 'P4', '2.25.7003')));
    ids.push(...(await store('Not-A-Uid', 'P5', '2.25.7004')));
    const notAsked = await store('2.25.91', 'P1', '2.25.7005');

    const { instances, series, studies } = await orthanc.readInstances([...ids, 'gone']);

    expect(instances.map(({ orthancId }) => orthancId)).to.have.members(ids);
    const seriesOf = new Map(series.map((one) => [one.orthancId, one]));
    const studyOf = new Map(studies.map((one) => [one.orthancId, one]));
    expect(seriesOf.size).to.equal(series.length);
    expect(studyOf.size).to.equal(studies.length);
    const told = new Map<string, string>();
    for (const { orthancSeriesId } of instances) {
      const one = seriesOf.get(orthancSeriesId);
      const study = studyOf.get(one?.orthancStudyId ?? '');
      told.set(
        one?.seriesInstanceUid ?? '',
        `${study?.patientId} ${study?.studyInstanceUid} ${study?.accessionNumber}`,
      );
    }
    const expected = new Map<string, string>(
      Array.from({ length: 120 }, (_, n) => [`2.25.8${n}`, `P1 2.25.9${n} A2.25.8${n}`] as const),
    );
    expected.set('2.25.7001', 'P2 2.25.91 A2.25.7001');
    expected.set('2.25.7002', 'P3 2.25.9* A2.25.7002');
    expected.set('2.25.7003', 'P4 2.25.?1 A2.25.7003');
    expected.set('2.25.7004', 'P5 Not-A-Uid A2.25.7004');
    expect([...told].sort()).to.deep.equal([...expected].sort());
    expect(series).to.have.length(124);
    expect(instances.some(({ orthancId }) => notAsked.includes(orthancId))).to.equal(false);
  });
});
