import type { NameMove } from '../index.js';
import { jsonLine } from './json-line.js';

/** What was done to the store, or read out of it as an archive, and by whom. One record for each load, save, tag, delete, prune. */
export interface AuditRecord {
  /** RFC 3339. */
  readonly time: string;
  readonly action: 'load' | 'save' | 'tag' | 'delete' | 'prune';
  /** `unix`, or the address of the peer, with the name in its certificate where it has one. */
  readonly client: string;
  /** What was asked for. */
  readonly names?: readonly string[];
  /** Roots of the images. */
  readonly digests?: readonly string[];
  readonly moved?: readonly NameMove[];
  /** Bytes of archive received or sent. */
  readonly bytes?: number;
  /** `OK`, or the code of the error. */
  readonly code: string;
  readonly durationMs: number;
}

/** Who is told of what was done. */
export type Audit = (record: AuditRecord) => void;

/** A record as one line of JSON; whatever a terminal would obey is escaped. */
export function auditLine(record: AuditRecord): string {
  return jsonLine(record);
}
