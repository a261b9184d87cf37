import type { Digest } from '../model/digest.js';
import { invalid } from '../model/json.js';
import { labelOfRecord, type Warning } from './reports.js';
import type { ListedNode } from './survey-images.js';
import { WarningList } from './warning-list.js';

/**
 * Collects indexes and manifests that state no version of their schema, or 0. They are read like those of version 2,
 * with a warning; if `strict`, they are refused with ERR_DOCUMENT_INVALID.
 */
export class Unversioned {
  readonly #strict: boolean;
  readonly #digests = new Set<Digest>();

  constructor({ strict }: { readonly strict: boolean }) {
    this.#strict = strict;
  }

  /** For the documents of a survey. */
  readonly note = (digest: Digest): void => void this.#digests.add(digest);

  /** The warnings of those among the nodes. Throws ERR_DOCUMENT_INVALID. */
  among(nodes: readonly ListedNode[]): readonly Warning[] {
    const warnings = new WarningList();
    const seen = new Set<Digest>();
    for (const { node } of nodes) {
      const { digest } = node.descriptor;
      if (!this.#digests.has(digest) || seen.has(digest)) continue;
      seen.add(digest);
      this.warn(warnings, `${node.kind} ${digest}`, labelOfRecord(node.target));
    }
    return warnings.warnings;
  }

  /** The warning of one document. Throws ERR_DOCUMENT_INVALID. */
  warn(warnings: WarningList, document: string, image?: string): void {
    if (this.#strict) throw invalid(document, 'schemaVersion is not 2');
    const message = `${document} states no schemaVersion; it was read as version 2`;
    warnings.add('WARN_SCHEMA_VERSION', () => ({ message, ...(image !== undefined && { image }) }));
  }
}
