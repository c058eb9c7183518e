import { expect } from 'chai';
import { table } from '../../../platform/rules/table.ts';

describe('a table', () => {
  it('has columns as wide as their widest cell, and - for what is not there', () => {
    expect(
      table(
        ['what', 'n'],
        [
          ['Zoë', 12],
          [null, 3],
          ['', null],
        ],
      ),
    ).to.equal('WHAT  N\nZoë   12\n-     3\n-     -\n');
  });

  it('lets no cell break a line or command a terminal', () => {
    expect(table(['a'], [['x\r\ny\u001b[2J']])).to.equal('A\nx y [2J\n');
  });
});
