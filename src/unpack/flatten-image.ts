import { Readable } from 'node:stream';
import { LadingError } from '../model/errors.js';
import { check, TEXT } from '../model/rules.js';
import { SOURCE } from '../stores/port-rules.js';
import type { ImageSource } from '../stores/store.js';
import { flatTar } from './flat-tar.js';
import { ALL_ABILITIES, SkipCounter, skippedOf } from './skipped.js';
import { UNPACK_OPTIONS, type UnpackOptions } from './unpack-options.js';
import { reportOf } from './unpack-report.js';
import { openPlan, type OpenPlan } from './open-plan.js';

const ARGUMENTS = { source: SOURCE, name: TEXT, options: UNPACK_OPTIONS };

/** Bytes that wait for a reader. */
const WAITING_BYTES = 256 * 1024;

/**
 * The root file system of an image as one tar stream, with the same bytes for the same image, platform and options. All
 * layers were read and verified before the first byte. An error destroys the stream, which then never ends as if it were
 * whole. Holds the tree (at most 500 000 names, about 100 bytes each) and a few chunks.
 */
export function flattenImage(source: ImageSource, name: string, options: UnpackOptions = {}): Readable {
  const tar = Readable.from(checkedBytes(source, name, options), { objectMode: false, highWaterMark: WAITING_BYTES });
  // Without a listener, an abort before the first read would end the process; later readers still get the error.
  tar.on('error', () => {});
  destroyOnAbort(tar, options);
  return tar;
}

/** Wrong arguments are errors of the stream. */
async function* checkedBytes(source: ImageSource, name: string, options: UnpackOptions): AsyncGenerator<Buffer> {
  check(ARGUMENTS, { source, name, options });
  refuseDirectoryOptions(options);
  const open = await openPlan(source, name, options);
  try {
    yield* flatBytes(open, options);
  } finally {
    await open.reader.end();
  }
}

async function* flatBytes({ reader, plan, limits }: OpenPlan, options: UnpackOptions): AsyncGenerator<Buffer> {
  const { order = 'directories-last', setId = true, signal, onProgress } = options;
  const skips = setId
    ? new SkipCounter()
    : await skippedOf(plan, { ...ALL_ABILITIES, setIds: false }, { uid: 0, gid: 0 });
  options.onReport?.({ ...reportOf(plan, skips, { ownership: 'keep' }), target: { kind: 'tar' } });
  yield* flatTar(reader, plan, { limits, order, setId, signal, onProgress });
}

/** Options that a tar cannot have are refused, not passed over. */
function refuseDirectoryOptions(options: UnpackOptions): void {
  for (const option of ['owner', 'sync', 'bundle'] as const) {
    if (options[option] === undefined || options[option] === false) continue;
    const message = `a flat tar has no option "${option}"; it goes with a directory`;
    throw new LadingError('ERR_OPTION_INVALID', message, { details: { option } });
  }
}

function destroyOnAbort(tar: Readable, options: UnpackOptions): void {
  const { signal } = Object(options) as UnpackOptions;
  if (!(signal instanceof AbortSignal)) return;
  const abort = (): void => {
    tar.destroy(new LadingError('ERR_ABORTED', 'unpacking the image was aborted', { cause: signal.reason }));
  };
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  tar.once('close', () => signal.removeEventListener('abort', abort));
}
