import type { ExportOptions } from '../../src/export/plan-export.js';
import type { Store } from '../../src/stores/store.js';
import { refusesPlan, type Refusal } from '../fixtures/refusals.js';

/** A save of these images, with these options, and the code and message of its error. */
interface RefusedSave extends ExportOptions, Refusal {
  readonly names: readonly string[];
}

/** Asserts that no plan of the save is made, that the error is this one, and that the store stays as it was. */
export async function refusesSave(store: Store, { names, code, message, ...options }: RefusedSave): Promise<void> {
  await refusesPlan(store, names, options, { code, ...(message !== undefined && { message }) });
}
