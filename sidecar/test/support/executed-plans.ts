import pg from 'pg';
import { z } from 'zod';
import { startPostgres } from '../../dev/postgres-process.ts';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string | undefined;
  readonly 'Index Name'?: string | undefined;
  readonly 'Conflict Arbiter Indexes'?: readonly string[] | undefined;
  readonly 'Actual Rows'?: number | undefined;
  readonly 'Actual Loops'?: number | undefined;
  readonly 'Rows Removed by Filter'?: number | undefined;
  readonly 'Rows Removed by Join Filter'?: number | undefined;
  readonly Plans?: readonly PlanNode[] | undefined;
}

const count = z.number().optional();
const NODE: z.ZodType<PlanNode> = z.lazy(() =>
  z.object({
    'Node Type': z.string(),
    'Relation Name': z.string().optional(),
    'Index Name': z.string().optional(),
    'Conflict Arbiter Indexes': z.array(z.string()).optional(),
    'Actual Rows': count,
    'Actual Loops': count,
    'Rows Removed by Filter': count,
    'Rows Removed by Join Filter': count,
    Plans: z.array(NODE).optional(),
  }),
);
const EXECUTED = z.object({ 'Query Text': z.string(), Plan: NODE });
const LINE = z.object({ message: z.string().optional() });

/** A statement as it was run. */
export interface Executed {
  readonly sql: string;
  /** Those it looked up or checked for conflicts in. */
  readonly indexes: readonly string[];
  /** Tables that it read from end to end. */
  readonly scanned: readonly string[];
  /** Each step with the rows that it read, joined or left out, in all its turns. */
  readonly steps: readonly { readonly step: string; readonly rows: number }[];
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

const stepOf = (node: PlanNode): string =>
  [node['Node Type'], node['Relation Name'], node['Index Name']].filter((part) => part !== undefined).join(' ');

function rowsOf(node: PlanNode): number {
  const once =
    (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Join Filter'] ?? 0);
  return once * (node['Actual Loops'] ?? 1);
}

function executed(line: string): Executed[] {
  const { message = '' } = LINE.parse(JSON.parse(line));
  const plan = /^duration: [\d.]+ ms {2}plan:\n([^]*)$/.exec(message)?.[1];
  if (plan === undefined) return [];
  const { 'Query Text': sql, Plan: root } = EXECUTED.parse(JSON.parse(plan));
  const nodes = nodesOf(root);
  return [
    {
      sql,
      indexes: nodes.flatMap((node) => [node['Index Name'] ?? [], node['Conflict Arbiter Indexes'] ?? []].flat()),
      scanned: nodes.flatMap((node) => (node['Node Type'] === 'Seq Scan' ? (node['Relation Name'] ?? []) : [])),
      steps: nodes.map((node) => ({ step: stepOf(node), rows: rowsOf(node) })),
    },
  ];
}

/** Whether what was run is that statement, whose bindings have names. */
export function isRunOf(sql: string, { sql: run }: Executed): boolean {
  let at = 0;
  return sql.split(/(?<!:):[a-z]\w*/i).every((part) => {
    const found = run.indexOf(part, at);
    at = found + part.length;
    return found >= 0;
  });
}

export interface PlanServer extends AsyncDisposable {
  createDatabase(): Promise<string>;
  /** Every statement of any session that `work` runs, those of functions and foreign keys too. */
  during(work: () => Promise<unknown>): Promise<Executed[]>;
}

/** A Postgres of its own that writes down each plan as it was run, and never gathers statistics by itself. */
export async function startPlanServer(): Promise<PlanServer> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await startPostgres());
  const settings = {
    autovacuum: 'off',
    logging_collector: 'on',
    log_destination: 'jsonlog',
    log_rotation_size: '0',
    session_preload_libraries: 'auto_explain',
    'auto_explain.log_min_duration': '0',
    'auto_explain.log_analyze': 'on',
    'auto_explain.log_timing': 'off',
    'auto_explain.log_format': 'json',
    'auto_explain.log_nested_statements': 'on',
  };
  const onServer = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({
      connectionString: postgres.url,
      options: '-c auto_explain.log_min_duration=-1',
    });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  await onServer(async (client) => {
    for (const [name, value] of Object.entries(settings)) await client.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  });
  await postgres.stop();
  await postgres.start();
  const sizeOfLog = (): Promise<number> =>
    onServer(async (client) => {
      const { rows } = await client.query<{ size: string }>(
        "SELECT size FROM pg_stat_file(pg_current_logfile('jsonlog'))",
      );
      return Number(rows[0]?.size);
    });
  const running = stack.move();
  return {
    createDatabase: () => postgres.createDatabase(),
    async during(work) {
      const from = await sizeOfLog();
      await work();
      const length = (await sizeOfLog()) - from;
      const { rows } = await onServer((client) =>
        client.query<{ text: string }>("SELECT pg_read_file(pg_current_logfile('jsonlog'), $1, $2) AS text", [
          from,
          length,
        ]),
      );
      return (rows[0]?.text ?? '')
        .split('\n')
        .filter((line) => line !== '')
        .flatMap(executed);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
