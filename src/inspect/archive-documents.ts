import type { LoadSource } from '../load/archive-entries.js';
import type { LoadRequest } from '../load/load-entries.js';
import { loadArchive, loadRequestOf } from '../load/load-images.js';
import { documentStore } from '../stores/memory/document-store.js';
import type { MemoryStore } from '../stores/memory/memory-store.js';
import type { Warning } from '../survey/reports.js';
import type { ListOptions } from '../survey/tolerant-survey.js';

/** An archive as a store of its documents, and what its load warned of. Layers are known by digest and size only. */
export async function openArchiveDocuments(
  source: LoadSource,
  options: ListOptions & { readonly images?: readonly string[] },
): Promise<{ readonly store: MemoryStore; readonly warnings: readonly Warning[] }> {
  const request: LoadRequest = { ...loadRequestOf(options), probing: 'heads' };
  const store = documentStore(request.limits);
  // The store keeps no layers, so what they are packed with is learned as they pass.
  const { report } = await loadArchive(store, source, request);
  return { store, warnings: report.warnings };
}

/** The warnings that do not stand among others in the same words. */
export function withoutKnown(warnings: readonly Warning[], others: readonly Warning[]): readonly Warning[] {
  const known = new Set(others.map(({ message }) => message));
  return warnings.filter(({ message }) => !known.has(message));
}
