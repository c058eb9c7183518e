import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { segment, wholeComponent, type Hl7Message } from '../../hl7/rules/message.ts';
import { GAUGES, HL7_TYPE_LABELS, hl7AnswerLabel, hl7TypeLabel, type Sample } from '../rules/gauges.ts';

/** What looks up the gauges that name it as their source. */
export interface Source {
  readonly name: string;
  /** Ends within seconds, whatever hangs. `null` stands for what could not be looked up; where it rejects, for all. */
  readonly collect: () => Promise<readonly (Sample | null)[]>;
}

function typeOf(message: Hl7Message | null): string {
  const msh = message === null ? undefined : segment(message, 'MSH');
  return hl7TypeLabel(wholeComponent(msh, 9), wholeComponent(msh, 9, 2));
}

interface FileAnswer {
  readonly status: string;
}

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * The process's own registry of metrics, in base units, without patient data: labels are statuses, codes and names of
 * settings. Cheap while nobody reads it; `withProcess` adds prom-client's own about the process, which watch it.
 */
export function createMetrics(options: { version: string; withProcess: boolean }) {
  const registry = new Registry();
  const registers = [registry];
  if (options.withProcess) collectDefaultMetrics({ register: registry });
  // Gauges that are named like counters; the same is there by type, under a right name.
  for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`);
  new Gauge({ name: 'axis_build_info', help: '1, with the version', labelNames: ['version'], registers })
    .labels(options.version)
    .set(1);
  const leader = new Gauge({
    name: 'axis_leader',
    help: '1 while this process follows the feed for all of them',
    registers,
  });
  const collectOk = new Gauge({
    name: 'axis_collect_ok',
    help: '1 while what that source tells could be looked up; what could not is absent',
    labelNames: ['source'],
    registers,
  });
  const hl7Messages = new Counter({
    name: 'axis_hl7_messages_total',
    help: 'HL7 messages by type and answer',
    labelNames: ['type', 'answer'],
    registers,
  });
  const hl7Tests = new Counter({
    name: 'axis_hl7_test_messages_total',
    help: 'HL7 messages with MSH-11 T, which have no effect',
    registers,
  });
  const hl7Ignored = new Counter({
    name: 'axis_hl7_ignored_messages_total',
    help: 'HL7 messages of types that HL7_IGNORED_TYPES names, which have no effect, by type',
    labelNames: ['type'],
    registers,
  });
  const hl7Warnings = new Counter({
    name: 'axis_hl7_warnings_total',
    help: 'What was odd in HL7 messages that were taken, by code (axis hl7 show)',
    labelNames: ['code'],
    registers,
  });
  const hl7Duration = new Histogram({
    name: 'axis_hl7_message_duration_seconds',
    help: 'Time from an HL7 message to its answer, by type',
    labelNames: ['type'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const uploads = new Counter({
    name: 'axis_upload_files_total',
    help: 'Files uploaded by HTTP, by what became of them',
    labelNames: ['result'],
    registers,
  });
  const uploadDuration = new Histogram({
    name: 'axis_upload_file_duration_seconds',
    help: 'Time that an uploaded file took into Orthanc',
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
    registers,
  });
  const gauges = new Map(
    Object.entries(GAUGES).map(([name, { source, help, ...labelled }]) => {
      const labelNames = Object.values(labelled);
      return [name, { source, labelNames, gauge: new Gauge({ name, help, labelNames, registers }) }];
    }),
  );
  leader.set(0);
  for (const result of ['stored', 'already-stored', 'differs', 'refused', 'failed']) uploads.labels(result).inc(0);
  // From 0 on, so that the first one counts as an increase.
  for (const type of HL7_TYPE_LABELS) for (const answer of ['AA', 'AE', 'AR']) hl7Messages.labels(type, answer).inc(0);

  const show = async (source: Source): Promise<void> => {
    const collected: readonly (Sample | null)[] = await source.collect().catch(() => [null]);
    const samples = collected.filter((sample) => sample !== null);
    collectOk.labels(source.name).set(samples.length === collected.length ? 1 : 0);
    for (const { gauge, labelNames } of [...gauges.values()].filter((one) => one.source === source.name)) {
      gauge.reset();
      // A gauge without labels is 0 after a reset, which would be a lie where nothing is known.
      if (labelNames.length === 0) gauge.remove();
    }
    for (const { gauge: name, label, label2, value } of samples) {
      const gauge = gauges.get(name)?.gauge;
      const values = [label, label2].filter((one) => one !== undefined);
      if (values.length === 0) gauge?.set(value);
      else gauge?.labels(...values).set(value);
    }
  };

  return {
    contentType: registry.contentType,

    /** Counts and times an HL7 handler. */
    hl7:
      <T extends { readonly message: Hl7Message | null }>(handle: (inbound: T) => Promise<string>) =>
      async (inbound: T): Promise<string> => {
        const type = typeOf(inbound.message);
        const timed = hl7Duration.labels(type).startTimer();
        try {
          const answer = await handle(inbound);
          hl7Messages.labels(type, hl7AnswerLabel(answer)).inc();
          return answer;
        } finally {
          timed();
        }
      },

    /** Counts those that may not send, which are answered by their header alone. */
    hl7Refused:
      <T extends { readonly header: Hl7Message | null }>(admit: (newcomer: T) => string | null) =>
      (newcomer: T): string | null => {
        const refusal = admit(newcomer);
        if (refusal !== null) hl7Messages.labels(typeOf(newcomer.header), hl7AnswerLabel(refusal)).inc();
        return refusal;
      },

    /** `type`: one of the setting's, so that there are not many. */
    hl7Ignored: (type: string): void => {
      hl7Ignored.labels(type).inc();
    },

    /** `codes`: of the fixed list of warnings. */
    hl7Warnings: (codes: readonly string[]): void => {
      for (const code of codes) hl7Warnings.labels(code).inc();
    },

    hl7Test: (): void => {
      hl7Tests.inc();
    },

    /** Counts and times what takes an uploaded file. */
    upload:
      <A extends readonly unknown[], T extends FileAnswer>(accept: (...args: A) => Promise<T>) =>
      async (...args: A): Promise<T> => {
        const timed = uploadDuration.startTimer();
        let result = 'failed';
        try {
          const answer = await accept(...args);
          result = answer.status;
          return answer;
        } finally {
          uploads.labels(result).inc();
          timed();
        }
      },

    /** Tells while `lead` runs that this process leads. */
    leading:
      (lead: (over: AbortSignal) => Promise<void>) =>
      async (over: AbortSignal): Promise<void> => {
        leader.set(1);
        try {
          await lead(over);
        } finally {
          leader.set(0);
        }
      },

    /** Everything in Prometheus's text format; what a source could not tell is absent. */
    async text(sources: readonly Source[]): Promise<string> {
      await Promise.all(sources.map(show));
      return registry.metrics();
    },
  };
}
