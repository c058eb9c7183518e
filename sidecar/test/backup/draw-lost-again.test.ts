import { expect } from 'chai';
import { z } from 'zod';
import { backupStatements } from '../../backup/io/rows.ts';
import { execute, query } from '../../platform/postgres/query.ts';
import { drawLostAgain } from '../../backup/flows/draw-lost-again.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';
import { NOW } from '../support/episode.ts';

const ID = z.object({ id: z.string() });
const idOf = (number: number): string => `${number.toString(16).padStart(8, '0')}${'-00000000'.repeat(4)}`;
const MIRRORED = `
UPDATE images SET mirror_status = 'mirrored', image_url = 'i', thumbnail_url = 't', mirrored_at = :at
WHERE orthanc_id = ANY (CAST(:ids AS text[]))`;

describe('drawing again what Blob storage lost', () => {
  let database: TestDatabase;
  const all = Array.from({ length: 13 }, (_, index) => idOf(index + 5));
  before(async () => {
    database = await startDatabase();
    const instances = all.map((orthancId, index) => ({
      orthancId,
      orthancSeriesId: 'series',
      sopInstanceUid: `1.2.3.${index}`,
      sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
      transferSyntaxUid: '1.2.840.10008.1.2.1',
      instanceNumber: index,
      numberOfFrames: 1,
      modifiedFrom: null,
      fileUuid: '1',
      said: null,
      resent: null,
    }));
    const series = {
      orthancId: 'series',
      orthancStudyId: 'study',
      seriesInstanceUid: '1.2.3',
      modality: 'CT',
      seriesDescription: '',
    };
    const study = {
      orthancId: 'study', studyInstanceUid: '1.2', accessionNumber: '', patientId: 'P1', issuerOfPatientId: '',
      patientName: '', patientBirthDate: '', patientSex: '', studyDate: '', studyDescription: '',
    }; // prettier-ignore
    await database.operations.transaction((tx) =>
      database.operations.take(tx, { instances, series: [series], studies: [study] }, NOW),
    );
  });
  after(() => database[Symbol.asyncDispose]());

  const cases: readonly [string, readonly (readonly number[])[]][] = [
    ['nothing is left', []],
    ['an empty page is left', [[]]],
    [
      'all is left',
      [
        [0, 1, 2, 3, 4, 5],
        [6, 7, 8, 9, 10, 11, 12],
      ],
    ],
    ['the ends are lost', [[2, 3], [], [4, 5, 6], [7]]],
    ['whole runs between pages are lost', [[0, 1], [7, 8], [12]]],
    [
      'single ones within pages are lost',
      [
        [0, 2, 4],
        [6, 8, 10, 12],
      ],
    ],
  ];
  for (const [what, pages] of cases) {
    for (const atOnce of [1, 2, 5000]) {
      it(`takes exactly what is missing where ${what}, ${atOnce} at once`, async () => {
        const { db } = database;
        const since = new Date(NOW.getTime() + 1000);
        await execute(db, MIRRORED, { ids: `{${all.join(',')}}`, at: NOW });
        // One that was mirrored while Blob storage was looked through.
        await execute(db, MIRRORED, { ids: `{${all[3]!}}`, at: since });
        const kept = (async function* () {
          for (const page of pages) yield await Promise.resolve(page.map((index) => all[index]!));
        })();
        const { drawAgain } = backupStatements(db);
        const count = await drawLostAgain({ kept, drawAgain: (...range) => drawAgain(since, ...range) }, atOnce);
        const pending = await query(
          db,
          `SELECT orthanc_id AS id FROM images WHERE mirror_status = 'pending' ORDER BY 1`,
          {},
          ID,
        );
        const left = new Set(pages.flat());
        const lost = all.filter((_, index) => !left.has(index) && index !== 3);
        expect(pending.map(({ id }) => id)).to.deep.equal(lost);
        expect(count).to.equal(lost.length);
      });
    }
  }
});
