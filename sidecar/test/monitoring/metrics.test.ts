import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { READ_GAUGES, READ_REVIEWS, READ_OPTIONAL_GAUGES } from '../../monitoring/io/gauge-rows.ts';
import { createMetrics } from '../../monitoring/io/metrics.ts';
import { GAUGES } from '../../monitoring/rules/gauges.ts';

const page = readFileSync(new URL('../../../docs/monitoring.md', import.meta.url), 'utf8');
/** What the page's table of metrics names, with labels. */
const documented = [...page.matchAll(/^\| .*$/gm)].flatMap(([row]) =>
  [...row.matchAll(/`(axis_[a-z0-9_]+)(\{[^}]*\})?`/g)].map(([, name = '', labels = '']) => ({ name, labels })),
);

describe('a metric', () => {
  it('is documented where it exists, and exists where it is documented', async () => {
    const text = await createMetrics({ version: '1', withProcess: false }).text([]);
    const known = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) => name);
    expect(known).to.include.members(Object.keys(GAUGES));
    expect(documented.map(({ name }) => name).toSorted()).to.deep.equal(known.toSorted());
  });

  const labelsOf = ({ source: _source, help: _help, ...labels }: (typeof GAUGES)[keyof typeof GAUGES]): string => {
    const names = Object.values(labels);
    return names.length === 0 ? '' : `{${names.join(',')}}`;
  };

  it('is documented with its labels, if it is looked up', () => {
    const labelled = Object.entries(GAUGES).map(([name, gauge]) => ({
      name,
      labels: labelsOf(gauge),
    }));
    expect(documented).to.deep.include.members(labelled);
  });

  it('is looked up by a statement, if the database is its source, and by none if not', () => {
    const statements = [READ_GAUGES, READ_REVIEWS, ...Object.values(READ_OPTIONAL_GAUGES)].join('\n');
    const read = new Set([...statements.matchAll(/'(axis_\w+)'/g)].map(([, name = '']) => name));
    const defined = Object.entries(GAUGES).flatMap(([name, { source }]) => (source === 'database' ? [name] : []));
    expect([...read].toSorted()).to.deep.equal(defined.toSorted());
  });
});
