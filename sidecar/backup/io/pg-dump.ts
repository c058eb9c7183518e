import { Failure } from '../../platform/rules/failure.ts';
import { runProgram, startProgram, type Program } from './program.ts';

export interface PgDumpOptions {
  readonly databaseUrl: string;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** The connection without its password, which goes by PGPASSWORD: what is among the arguments, every process may see. */
function connection(databaseUrl: string): { readonly url: string; readonly env: Readonly<Record<string, string>> } {
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = '';
  return { url: url.href, env: { PGCONNECT_TIMEOUT: '10', ...(password !== '' && { PGPASSWORD: password }) } };
}

// Postgres quotes values in its messages; of these none has any.
const HARMLESS = [
  /connection to server [^\n]* failed/,
  /password authentication failed/,
  /server version mismatch/,
  /No space left on device/,
  /permission denied/,
  /ERROR: {2}[0-9A-Z]{5}$/m,
];

function failed(name: string, code: number, complaint: string): Failure {
  const [said = ''] = HARMLESS.map((known) => known.exec(complaint)?.[0]).filter((part) => part !== undefined);
  const transient = said.startsWith('connection to server');
  const message = `${name} ended with ${code}${said === '' ? '' : `: ${said}`}`;
  return new Failure(transient ? 'transient' : 'permanent', name, message);
}

/** PostgreSQL's own programs, of the server's major version or a later one. Every call throws a {@link Failure}. */
export function createPgDump({ databaseUrl, limitMs, signal }: PgDumpOptions) {
  const { url, env } = connection(databaseUrl);
  const program = (name: string, args: readonly string[]): Program => ({ name, args, env, limitMs, signal });
  const run = async (name: string, args: readonly string[]): Promise<void> => {
    const { code, complaint } = await runProgram(program(name, args));
    if (code !== 0) throw failed(name, code, complaint);
  };
  return {
    /**
     * All of the database as of one moment, in the custom format. Not compressed: restic compresses, and finds what
     * did not change only in what is not.
     */
    dump: (file: string): Promise<void> =>
      run('pg_dump', [
        ...['--format=custom', '--compress=0', '--no-owner', '--lock-wait-timeout=60s', `--file=${file}`],
        `--dbname=${url}`,
      ]),

    /** Whether that file can be read as a dump. @throws Failure where it cannot. */
    check: (file: string): Promise<void> => run('pg_restore', ['--list', '--file=/dev/null', file]),

    /**
     * Puts the dump in place of all that the database has, and runs the statements `before` and `after` it: all of it in
     * one transaction, or nothing.
     */
    async restore(file: string, before: readonly string[], after: readonly string[]): Promise<void> {
      const psql = startProgram(
        program('psql', [
          ...['--no-psqlrc', '--quiet', '--single-transaction', '--output=/dev/null', '--set=ON_ERROR_STOP=1'],
          ...['--set=VERBOSITY=sqlstate', '--set=SHOW_CONTEXT=never', `--dbname=${url}`],
          ...before.map((sql) => `--command=${sql}`),
          '--file=-',
          ...after.map((sql) => `--command=${sql}`),
        ]),
      );
      psql.stdout.resume();
      const script = startProgram(program('pg_restore', ['--file=-', '--no-owner', file]));
      script.stdin.end();
      script.stdout.pipe(psql.stdin, { end: false });
      // psql commits at the end of what it reads, so that it must not see the end of half a dump.
      const read = script.ended.then((ended) => {
        if (ended.code === 0) psql.stdin.end();
        else psql.kill();
        return ended;
      });
      read.catch(() => {
        psql.kill();
      });
      const drain = (): void => {
        script.stdout.unpipe(psql.stdin).resume();
      };
      psql.ended.then(drain, drain);
      const [scriptEnd, end] = await Promise.allSettled([read, psql.ended]);
      if (end.status === 'fulfilled' && end.value.code !== 0) throw failed('psql', end.value.code, end.value.complaint);
      if (scriptEnd.status === 'rejected') throw scriptEnd.reason;
      if (scriptEnd.value.code !== 0) throw failed('pg_restore', scriptEnd.value.code, scriptEnd.value.complaint);
      if (end.status === 'rejected') throw end.reason;
    },
  };
}
