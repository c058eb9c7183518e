import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { z } from 'zod';
import { createMetrics } from '../../monitoring/io/metrics.ts';
import { promtool } from '../support/promtool.ts';

const FOLDER = fileURLToPath(new URL('../../monitoring/', import.meta.url));
const read = (path: string): string =>
  readFileSync(new URL(path, new URL('../../monitoring/', import.meta.url)), 'utf8');
const project = (path: string): URL => new URL(`../../../${path}`, import.meta.url);

const alerts = read('alerts.yml');
const rules = alerts.split(/^ {6}- (?=alert:)/m).slice(1);
const nameOf = (rule: string): string => /^alert: (\w+)/.exec(rule)?.[1] ?? '';

const DASHBOARD = z.object({
  uid: z.string(),
  panels: z.array(
    z.object({
      id: z.number(),
      title: z.string(),
      type: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string() })).default([]),
    }),
  ),
});

describe('monitoring', () => {
  const dashboard = DASHBOARD.parse(JSON.parse(read('grafana/dashboards/axis.json')));
  const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

  it('has a configuration and rules that Prometheus takes', () => {
    const { ok, output } = promtool(['check', 'config', 'prometheus.yml'], { files: FOLDER });
    expect(ok, output).to.equal(true);
    expect(output).to.contain(`SUCCESS: ${rules.length} rules found`);
  });

  it('has alerts that fire when they should, and not before', function () {
    this.timeout(180_000);
    const { ok, output } = promtool(['test', 'rules', 'alerts.test.yml'], { files: FOLDER, timeoutMs: 170_000 });
    expect(ok, output).to.equal(true);
  });

  it('tries each alert, firing and quiet', () => {
    const cases = read('alerts.test.yml');
    for (const name of rules.map(nameOf)) {
      const of = cases.split(/^ {2}- name: /m).filter((one) => one.includes(`ALERTS{alertname="${name}",`));
      expect(of.join(), name)
        .to.match(/exp_samples: \[\]/)
        .and.to.match(/exp_samples:\s*\[\s*\{/);
    }
  });

  it('says of each alert how bad it is, what it is, what to do and where to read on', () => {
    expect(rules).to.have.length.greaterThan(20);
    for (const rule of rules) {
      expect(rule, rule).to.match(/severity: (warning|critical) /);
      for (const key of ['summary', 'todo', 'see'])
        expect(rule, rule).to.match(new RegExp(`^ {10}${key}: .{9,}$`, 'm'));
      const [, file = '', anchor] = /see: (docs\/[a-z]+\.md)(?:#([a-z-]+))?$/m.exec(rule) ?? [];
      expect(file, rule).to.be.oneOf(['docs/failures.md', 'docs/monitoring.md', 'docs/operations.md']);
      if (!existsSync(project(file)) || anchor === undefined) continue;
      const headings = [...readFileSync(project(file), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
        heading.toLowerCase().replaceAll(' ', '-'),
      );
      expect(headings, rule).to.include(anchor);
    }
  });

  it('asks only for metrics that there are, in alerts and on the dashboard', async () => {
    const metrics = createMetrics({ version: '1', withProcess: true });
    const known = [...(await metrics.text([])).matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    const asked = [alerts, ...expressions].join('\n').matchAll(/\b(?:axis|process|nodejs)_[a-z0-9_]+/g);
    expect([...new Set([...asked].map(([name]) => name))].filter((name) => !known.includes(name))).to.deep.equal([]);
  });

  it('has services that are pinned, hardened and on this machine only', () => {
    const compose = readFileSync(project('docker-compose.yml'), 'utf8');
    for (const name of ['prometheus', 'grafana']) {
      const [, service = ''] = new RegExp(`^ {2}${name}:\\n((?: {4}.*\\n|\\n)*)`, 'm').exec(compose) ?? [];
      expect(service, name)
        .to.match(/^ {4}<<: \*service$/m)
        .and.to.contain('    profiles: [monitoring]\n');
      expect(service, name)
        .to.match(/^ {4}image: [a-z/]+:v?\d+\.\d+\.\d+$/m)
        .and.to.contain('    read_only: true\n');
      expect(service, name).to.match(/^ {4}user: (nobody|'472')$/m);
      expect(service, name).to.match(/^ {6}- \$\{[A-Z]+_PUBLISH:-127\.0\.0\.1:\d+\}:\d+$/m);
      const shown = [...service.matchAll(/^ {6}- \.\/(sidecar\/[^:]+):.*:ro$/gm)].map(([, path = '']) => path);
      expect(shown.filter((path) => !existsSync(project(path)))).to.deep.equal([]);
      expect(shown).to.have.length(2);
    }
    expect(compose).not.to.match(/^ {6}- .*METRICS/m);
    expect(read('prometheus.yml')).to.contain('port: 9464');
  });

  it('has a dashboard whose every question Prometheus understands, and whose panels do not overlap', () => {
    const groups = expressions.map((expr, at) => `{ record: 'r:r${at}', expr: '${expr.replaceAll("'", "''")}' }`);
    const { ok, output } = promtool(['check', 'rules'], {
      input: `groups: [{ name: g, rules: [${groups.join(', ')}] }]`,
    });
    expect(ok, output).to.equal(true);
    expect(expressions).to.have.length.greaterThan(20);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).to.equal(dashboard.panels.length);
    for (const [at, { title, gridPos: a }] of dashboard.panels.entries()) {
      expect(a.x + a.w, title).to.be.at.most(24);
      for (const { title: other, gridPos: b } of dashboard.panels.slice(at + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(apart, `${title} and ${other}`).to.equal(true);
      }
    }
  });
});
