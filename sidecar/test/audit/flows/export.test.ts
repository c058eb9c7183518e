import { expect } from 'chai';
import fc from 'fast-check';
import { createAuditExport, type ExportAuditDeps } from '../../../audit/flows/export.ts';

type Step = 'write' | 'send' | 'lose' | 'crash-before' | 'crash-after' | 'restart';

/** A log, a cursor that is kept, and a server that may take a batch and forget it, or take it and break off. */
class Desk {
  readonly log: { id: number }[] = [];
  readonly kept: number[] = [];
  cursor = 0;
  private held: number[] = [];
  private next: 'take' | 'refuse' | 'take-and-break' = 'take';
  private step = createAuditExport(this.deps());

  private deps(): ExportAuditDeps<{ id: number }> {
    return {
      readCursor: () => Promise.resolve(this.cursor),
      saveCursor: (id) => {
        this.cursor = id;
        return Promise.resolve();
      },
      read: (after, limit) => Promise.resolve(this.log.filter(({ id }) => id > after).slice(0, limit)),
      send: (rows) => {
        const end = this.next;
        this.next = 'take';
        if (end !== 'refuse') {
          this.kept.push(...this.held);
          this.held = rows.map(({ id }) => id);
        }
        return end === 'take' ? Promise.resolve() : Promise.reject(new Error('broken'));
      },
      now: () => new Date(0),
    };
  }

  private async once(): Promise<void> {
    await this.step().catch((error: unknown) => {
      if (!(error instanceof Error) || error.message !== 'broken') throw error;
    });
    this.next = 'take';
  }

  async do(step: Step): Promise<void> {
    if (step === 'write') for (let n = 0; n < 130; n += 1) this.log.push({ id: this.log.length + 1 });
    if (step === 'send') await this.once();
    if (step === 'restart') this.step = createAuditExport(this.deps());
    if (step === 'crash-before' || step === 'crash-after') {
      this.next = step === 'crash-before' ? 'refuse' : 'take-and-break';
      await this.once();
    }
    if (step === 'lose') {
      // What it took last is gone with it, and it is away for the next one.
      this.held = [];
      this.next = 'refuse';
      this.log.push({ id: this.log.length + 1 });
      await this.once();
    }
  }

  async finish(): Promise<void> {
    while ((await this.step()) === 'again');
    this.kept.push(...this.held);
    this.held = [];
  }
}

describe('exporting the audit log', () => {
  it('sends every row at least once and none before those that came before it, whatever breaks', async () => {
    const steps = fc.array(
      fc.constantFrom<Step>('write', 'send', 'lose', 'crash-before', 'crash-after', 'write', 'send'),
      { maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const desk = new Desk();
        for (const step of taken) await desk.do(step);
        await desk.finish();
        const firsts = [...new Set(desk.kept)];
        expect(firsts).to.deep.equal(desk.log.map(({ id }) => id));
      }),
      { numRuns: 300 },
    );
  });

  it('sends nothing twice while all is well, in batches', async () => {
    const desk = new Desk();
    for (const step of ['write', 'write', 'send', 'restart', 'write', 'send'] as const) await desk.do(step);
    await desk.finish();
    expect(desk.kept).to.deep.equal(desk.log.map(({ id }) => id));
  });
});
