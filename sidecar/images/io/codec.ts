import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { Failure } from '../../platform/rules/failure.ts';
import type { CodecTask } from './codec-worker.ts';
import type { RawImage } from './sharp.ts';

export interface CodecOptions {
  /** Files with more pixels a frame are refused before they are decoded: the decoder's own memory has no other bound. */
  readonly maxPixels: number;
  readonly timeoutMs: number;
}

export interface Codec extends AsyncDisposable {
  /**
   * Draws one frame (from 0) of a JPEG 2000 or HTJ2K file, windowed as the file says. One at a time, in a thread of its
   * own that is thrown away when it crashes or takes too long: the next call gets a new one.
   * @throws Failure permanent `too-many-pixels`, `undecodable` or `render-timeout`; transient `render-crashed`, since
   * memory may have been short, and `render-stopped` once it is disposed of.
   */
  render(file: Buffer, frame: number): Promise<RawImage>;
}

const ANSWER = z.union([
  z.object({ pixels: z.instanceof(ArrayBuffer), width: z.number().positive(), height: z.number().positive() }),
  z.object({ problem: z.enum(['too-many-pixels', 'undecodable']) }),
]);

/** Megabytes of JavaScript heap; pixels and the decoder's memory lie outside of it. */
const WORKER_HEAP_MB = 512;

function refused(code: string): Failure {
  return new Failure('permanent', code, `the image cannot be drawn: ${code}`);
}

function crash(): Failure {
  return new Failure('transient', 'render-crashed', 'the image was not drawn: its thread crashed');
}

function stopping(): Failure {
  return new Failure('transient', 'render-stopped', 'the image was not drawn: the sidecar is stopping');
}

function start(): Worker {
  const worker = new Worker(new URL('./codec-worker.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
    stdout: true,
    stderr: true,
  });
  // What the decoder prints is read and dropped, else it would pile up.
  worker.stdout.resume();
  worker.stderr.resume();
  return worker.on('error', () => undefined);
}

/** Draws what Orthanc cannot decode without its GDCM plugin, with dcmjs-imaging. */
export function createCodec(options: CodecOptions): Codec {
  let worker: Worker | undefined;
  let stopped = false;
  let last: Promise<unknown> = Promise.resolve();

  const discard = async (): Promise<void> => {
    const old = worker;
    worker = undefined;
    await old?.terminate();
  };

  const drawn = async (file: Buffer, frame: number): Promise<RawImage> => {
    if (stopped) throw stopping();
    worker ??= start();
    const current = worker;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      reject(refused('render-timeout'));
    }, options.timeoutMs);
    const crashed = (): void => {
      reject(stopped ? stopping() : crash());
    };
    current.once('message', resolve).once('error', crashed).once('exit', crashed);
    try {
      const bytes = new Uint8Array(file).buffer;
      current.postMessage({ file: bytes, frame, maxPixels: options.maxPixels } satisfies CodecTask, [bytes]);
      const answer = ANSWER.parse(await promise);
      if ('problem' in answer) throw refused(answer.problem);
      return { data: new Uint8Array(answer.pixels), width: answer.width, height: answer.height, channels: 4 };
    } catch (error) {
      if (!(error instanceof Failure)) throw refused('undecodable');
      if (error.code.startsWith('render-')) await discard();
      throw error;
    } finally {
      clearTimeout(timer);
      // One by one: removeAllListeners() takes the thread's own too, and then no later message is ever heard.
      current.off('message', resolve).off('error', crashed).off('exit', crashed);
    }
  };

  return {
    render(file, frame) {
      const next = last.then(
        () => drawn(file, frame),
        () => drawn(file, frame),
      );
      last = next;
      return next;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await discard();
    },
  };
}
