import { setFlagsFromString } from 'node:v8';
import type { UnpackProgress } from '../../unpack/unpack-options.js';

/** From so many entries on, the heap of an unpacking would leave 192 MiB if V8 let garbage wait for long. */
const MANY_ENTRIES = 200_000;

/**
 * For the progress of an unpacking: lets V8 collect garbage earlier, once the image has many entries. That takes up to
 * twice the time, which smaller images need not pay for. Only a command may change V8, since it has the process for
 * itself.
 */
export function savingMemory(): (progress: UnpackProgress) => void {
  let isSaving = false;
  return ({ entries }) => {
    if (isSaving || entries < MANY_ENTRIES) return;
    isSaving = true;
    setFlagsFromString('--optimize-for-size');
  };
}
