import { expect } from 'chai';
import { desiredLabels, labelChanges } from '../../../linking/rules/labels.ts';

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
});
