const { globSync } = require('node:fs');

/** The files that take longest are begun first, so that none is left for the end alone. */
const LONGEST = [
  'crash/crash-points',
  'app/replicas',
  'backup/backups',
  'doctor/doctor',
  'monitoring/scrapes',
  'access/io/http-guard',
  'app/process',
  'linking/episodes',
  'images/killing-image',
  'operators/cli',
  'access/attack-keys',
  'images/blob-outage',
].map((name) => `sidecar/test/${name}.test.ts`);
/** What `npm run test:long` runs beside all the rest. */
const LONG = ['sidecar/test/faults/', 'sidecar/test/broken/'];

const files = globSync('sidecar/test/**/*.test.ts', { cwd: __dirname }).sort();
const isLong = (file) => LONG.some((folder) => file.startsWith(folder));

module.exports = {
  require: ['./sidecar/test/support/root-hooks.ts', './sidecar/test/support/shared-servers.ts'],
  spec: [...LONGEST, ...files.filter((file) => !LONGEST.includes(file) && !isLong(file))],
  parallel: true,
  jobs: 3,
  timeout: 60_000,
  slow: 2000,
  forbidOnly: true,
};
