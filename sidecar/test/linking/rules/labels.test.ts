import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { desiredLabels, labelChanges, OWN_LABELS } from '../../../linking/rules/labels.ts';

describe('labels', () => {
  it('tell how a study is linked, and that its report is final', () => {
    const report = { status: 'final', withheld: false } as const;
    const facts = { status: 'linked', reports: [report] } as const;
    expect(desiredLabels(facts)).to.deep.equal(['ris-linked', 'report-final']);
    expect(desiredLabels({ ...facts, reports: [{ ...report, status: 'corrected' }] })).to.include('report-final');
    for (const other of [
      { ...report, withheld: true },
      { ...report, status: 'preliminary' },
      { ...report, status: 'cancelled' },
      { ...report, status: null },
    ] as const) {
      expect(desiredLabels({ ...facts, reports: [other] })).to.deep.equal(['ris-linked']);
      expect(desiredLabels({ ...facts, reports: [report, other] }), 'of several, one').to.deep.equal(['ris-linked']);
    }
    expect(desiredLabels({ ...facts, reports: [] })).to.deep.equal(['ris-linked']);
    expect(desiredLabels({ ...facts, status: 'review' })).to.deep.equal(['ris-review']);
  });

  it('are put and removed as needed, foreign ones left alone', () => {
    expect(labelChanges(['ris-linked'], ['teaching', 'ris-review', 'report-final'])).to.deep.equal({
      put: ['ris-linked'],
      remove: ['ris-review', 'report-final'],
    });
    expect(labelChanges(['ris-linked'], ['ris-linked', 'teaching'])).to.deep.equal({ put: [], remove: [] });
  });

  it('that look like the sidecar’s own are removed', () => {
    expect(labelChanges(['ris-linked'], ['ris-linked', 'RIS-Linked', 'Report-Final', 'ris-teaching'])).to.deep.equal({
      put: [],
      remove: ['RIS-Linked', 'Report-Final'],
    });
  });

  it('that the sidecar puts are its own', () => {
    const put = (['linked', 'provisional', 'review'] as const).flatMap((status) =>
      desiredLabels({ status, reports: [{ status: 'final', withheld: false }] }),
    );
    expect(put.toSorted()).to.deep.equal(OWN_LABELS.toSorted());
  });

  it('of viewers are held against the same list', () => {
    const filter = readFileSync(new URL('../../../../orthanc/filter.lua', import.meta.url), 'utf8');
    const [, list = ''] = /^local OWN_LABELS = \{([^}]*)\}/m.exec(filter) ?? [];
    const names = [...list.matchAll(/\['([^']+)'\] = true/g)].map(([, name = '']) => name);
    expect(names).to.deep.equal([...OWN_LABELS]);
  });
});
