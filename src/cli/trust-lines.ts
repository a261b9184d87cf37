import { quote } from '../model/errors.js';
import { labelOf } from '../survey/reports.js';
import type { TrustReport } from '../trust/trust-report.js';
import type { SignatureReport } from '../trust/signature-report.js';

/** What a verification of signatures found, as lines. */
export function trustLines(reports: readonly TrustReport[]): readonly string[] {
  return reports.flatMap((report) => [
    `${labelOf(report)}: ${verdictOf(report)}`,
    ...report.reasons.map(({ code, message }) => `  ${message} [${code}]`),
    ...report.signatures.map((signature) => `  ${signatureLine(signature)}`),
    ...report.warnings.map(({ message }) => `  ${message}`),
  ]);
}

/** `signed` says what keys were found; a policy may ask for other things. */
function verdictOf({ decision, rule, signatures }: TrustReport): string {
  const by = rule === 'keys' ? '' : ` (${rule})`;
  if (decision === 'denied') return `not trusted${by}`;
  return `${signatures.some(({ state }) => state === 'valid') ? 'signed' : 'allowed'}${by}`;
}

function signatureLine({ kind, over, state, by, reason, identity, predicateType }: SignatureReport): string {
  const what = predicateType === undefined ? kind : `${kind} attestation ${quote(predicateType)}`;
  const who = by === undefined ? '' : ` by ${quote(by)}`;
  const named = identity === 'none' ? ', it names no repository' : '';
  return `${what} over ${over}: ${state}${who}${reason === undefined ? named : `, ${reason}`}`;
}
