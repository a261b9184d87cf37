import { LadingError, type TrustReport } from '../index.js';

/** What the policy decided about an image, as the audit records it. */
export interface Decision {
  readonly name?: string;
  readonly digest: string;
  /** `rules[0]`, or `default`. */
  readonly rule: string;
  readonly decision: 'allowed' | 'denied';
}

/** The decisions of some work, for its record in the audit; none if no policy was asked. */
export function decisionsOf(trust: readonly TrustReport[] | undefined): { readonly decisions?: readonly Decision[] } {
  if (trust === undefined || trust.length === 0) return {};
  return {
    decisions: trust.map(({ name, digest, rule, decision }) => ({
      ...(name !== undefined && { name }),
      digest,
      rule,
      decision,
    })),
  };
}

/** The decisions that an error tells of. */
export function decisionsIn(error: unknown): { readonly decisions?: readonly Decision[] } {
  const trust = error instanceof LadingError && error.category === 'trust' ? error.details['trust'] : undefined;
  // Errors of this category have the reports of all images there, or nothing.
  return decisionsOf(trust as readonly TrustReport[] | undefined);
}
