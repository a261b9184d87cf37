import type { LoadSource } from '../load/archive-entries.js';
import type { LoadRequest } from '../load/load-entries.js';
import { loadArchive, loadRequestOf } from '../load/load-images.js';
import type { Digest } from '../model/digest.js';
import { withLayers } from '../load/thin-base.js';
import type { ThinList } from '../model/thin-list.js';
import { documentStore } from '../stores/memory/document-store.js';
import type { MemoryStore } from '../stores/memory/memory-store.js';
import type { Warning } from '../survey/reports.js';
import type { ListOptions } from '../survey/tolerant-survey.js';

/** The documents of an archive, what its load warned of, and its list if it is a thin one. */
export interface ArchiveDocuments {
  /** Layers are known by digest and size only, also those that a thin archive leaves out. */
  readonly store: MemoryStore;
  readonly warnings: readonly Warning[];
  readonly thin?: ThinList;
  /** Whether the archive itself has a blob. */
  readonly has: (digest: Digest) => boolean;
}

/** Opens an archive as a store of its documents; `assumesLayers` reads no layer that has a digest in its name. Throws the errors of a load. */
export async function openArchiveDocuments(
  source: LoadSource,
  options: ListOptions & { readonly images?: readonly string[] },
  assumesLayers = false,
): Promise<ArchiveDocuments> {
  const request: LoadRequest = { ...loadRequestOf(options), probing: 'heads', assumesBase: true, assumesLayers };
  const store = documentStore(request.limits);
  // The store keeps no layers, so what they are packed with is learned as they pass.
  const { report, contents } = await loadArchive(store, source, request);
  const { thin, hasCome, stored } = contents;
  const has = (digest: Digest): boolean => hasCome?.(digest) === true || stored.has(digest);
  if (thin === undefined) return { store, warnings: report.warnings, has };
  return { store: withLayers(store, (digest) => thin.base.get(digest)), warnings: report.warnings, has, thin };
}

/** The warnings that do not stand among others in the same words. */
export function withoutKnown(warnings: readonly Warning[], others: readonly Warning[]): readonly Warning[] {
  const known = new Set(others.map(({ message }) => message));
  return warnings.filter(({ message }) => !known.has(message));
}
