import { expect } from 'chai';
import fc from 'fast-check';
import { isAttachment, looksLikeDicom } from '../../../backup/rules/counts.ts';
import { nextBackup } from '../../../backup/rules/schedule.ts';
import { crImage } from '../../../dev/phantoms.ts';

const at = (text: string): Date => new Date(text);
const nightly = { at: '02:00', everyHours: 24, timeZone: 'Australia/Melbourne' };
const HOUR_MS = 3_600_000;

describe('when a backup is due', () => {
  it('at once where there is none, and at the next time of the schedule after a good one', () => {
    const now = at('2026-07-14T01:00:00Z');
    expect(nextBackup(nightly, null, now)).to.deep.equal(now);
    // 02:00 in Melbourne is 16:00 UTC in winter.
    expect(nextBackup(nightly, at('2026-07-13T16:20:00Z'), now)).to.deep.equal(at('2026-07-14T16:00:00Z'));
  });

  it('at once where one was missed', () => {
    const now = at('2026-07-16T01:00:00Z');
    expect(nextBackup(nightly, at('2026-07-13T16:20:00Z'), now)).to.deep.equal(now);
  });

  it('not again a few hours after one that was made by hand late in the evening', () => {
    const [last, now] = [at('2026-07-14T14:00:00Z'), at('2026-07-14T15:00:00Z')];
    expect(nextBackup(nightly, last, now)).to.deep.equal(at('2026-07-15T16:00:00Z'));
  });

  it('keeps to the clock on the wall when summer time begins and ends', () => {
    const last = at('2026-10-03T16:10:00Z');
    expect(nextBackup({ ...nightly, at: '04:00' }, last, last)).to.deep.equal(at('2026-10-04T17:00:00Z'));
    // 02:30 does not exist on the day it begins: the hour after.
    expect(nextBackup({ ...nightly, at: '02:30' }, at('2026-10-02T16:40:00Z'), last)).to.deep.equal(
      at('2026-10-03T16:30:00Z'),
    );
  });

  it('several times a day, or every few days', () => {
    const last = at('2026-07-13T16:10:00Z');
    expect(nextBackup({ ...nightly, everyHours: 6 }, last, last)).to.deep.equal(at('2026-07-13T22:00:00Z'));
    expect(nextBackup({ ...nightly, everyHours: 72 }, last, last)).to.deep.equal(at('2026-07-16T16:00:00Z'));
  });

  it('is never later than twice the interval after the last good one, nor before now', () => {
    fc.assert(
      fc.property(
        fc.date({ min: at('2026-01-01'), max: at('2027-01-01'), noInvalidDate: true }),
        fc.integer({ min: 1, max: 168 }),
        fc.integer({ min: 0, max: 23 }),
        fc.constantFrom('Australia/Melbourne', 'UTC', 'America/St_Johns', 'Pacific/Auckland'),
        (last, everyHours, hour, timeZone) => {
          const schedule = { at: `${String(hour).padStart(2, '0')}:30`, everyHours, timeZone };
          const due = nextBackup(schedule, last, last);
          expect(due.getTime()).to.be.at.least(last.getTime() + everyHours * HOUR_MS * 0.75);
          expect(due.getTime()).to.be.at.most(last.getTime() + (everyHours + 26) * HOUR_MS);
        },
      ),
    );
  });
});

describe('a file of Orthanc’s storage', () => {
  it('is known by where it lies', () => {
    expect(isAttachment('/54/a7/54a7382a-ab23-4215-868b-8f2253dfbf88')).to.equal(true);
    for (const path of ['/index', '/54/a8/54a7382a-ab23-4215-868b-8f2253dfbf88', '/54/a7/notes', '54/a7']) {
      expect(isAttachment(path), path).to.equal(false);
    }
  });

  it('is DICOM with or without a preamble, and an archive or a text is not', () => {
    const file = crImage({ StudyInstanceUID: '2.25.1', PatientID: 'P' }, '2.25.1.1');
    expect(looksLikeDicom(file.subarray(0, 132))).to.equal(true);
    expect(looksLikeDicom(file.subarray(132, 264))).to.equal(true);
    for (const text of ['PK\u0003\u0004'.padEnd(132), '{"a":1}'.padEnd(132), 'DICM', '']) {
      expect(looksLikeDicom(Buffer.from(text)), text).to.equal(false);
    }
  });
});
