import { jsonLine, type NameMove } from '../index.js';
import type { Decision } from './decisions.js';

/** Who did what to the store, or took images from it. One record for each load, save, tag, delete, prune, pull and push. */
export interface AuditRecord {
  /** RFC 3339. */
  readonly time: string;
  readonly action: 'load' | 'save' | 'tag' | 'delete' | 'prune' | 'pull' | 'push';
  /** `unix`, or the client's address followed by the name in its certificate, if it has one. */
  readonly client: string;
  /** The names or ids in the request. */
  readonly names?: readonly string[];
  /** Digests of the images' roots. */
  readonly digests?: readonly string[];
  readonly moved?: readonly NameMove[];
  /** Bytes of archive received or sent; for a pull or push those of the blobs that were copied. */
  readonly bytes?: number;
  /** What the policy decided about each image, if the server has one. */
  readonly decisions?: readonly Decision[];
  /** `OK`, or the code of the error. */
  readonly code: string;
  readonly durationMs: number;
}

/** Receives each audit record. */
export type Audit = (record: AuditRecord) => void;

/** A record as one line of JSON; characters that a terminal would obey are escaped. */
export function auditLine(record: AuditRecord): string {
  return jsonLine(record);
}
