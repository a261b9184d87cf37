import type { Digest } from '../model/digest.js';
import type { ErrorCode } from '../model/errors.js';
import type { Warning } from '../survey/reports.js';
import type { SignatureReport } from './signature-report.js';

/** Why an image is not trusted. */
export interface TrustReason {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Whether an image is as it must be, and every signature that was found. */
export interface TrustReport {
  readonly name?: string;
  readonly digest: Digest;
  /** What decided: `rules[0]` of a policy, or its `default`; `keys` where only keys were given. */
  readonly rule: string;
  readonly decision: 'allowed' | 'denied';
  readonly reasons: readonly TrustReason[];
  /** Those that were looked for: none unless the rule demands some. */
  readonly signatures: readonly SignatureReport[];
  /** Whether the root itself is signed. If not, an unsigned index could call an image by another platform. */
  readonly isRootSigned: boolean;
  readonly warnings: readonly Warning[];
}
