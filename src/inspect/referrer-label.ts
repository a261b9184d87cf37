import type { ReferrerReport } from './inspect-images.js';

/** What people call predicates of attestations, and types of artifacts: the start of the type, and the word. */
const WORDS: readonly (readonly [start: string, word: string])[] = [
  ['https://spdx.dev/', 'SBOM (SPDX)'],
  ['https://cyclonedx.org/', 'SBOM (CycloneDX)'],
  ['https://slsa.dev/provenance', 'provenance (SLSA)'],
  ['https://openvex.dev/', 'VEX (OpenVEX)'],
  ['application/spdx', 'SBOM (SPDX)'],
  ['text/spdx', 'SBOM (SPDX)'],
  ['application/vnd.cyclonedx', 'SBOM (CycloneDX)'],
  ['application/vnd.dev.cosign.simplesigning', 'signature (cosign)'],
  ['application/vnd.dev.sigstore.bundle', 'bundle (Sigstore)'],
  ['application/vnd.cncf.notary.signature', 'signature (Notary)'],
  ['application/vnd.in-toto', 'in-toto statement'],
  ['application/vnd.dsse.envelope', 'signed statement (DSSE)'],
];

/** What a referrer is, in words; its types as they are where there is no word. Nothing here was checked. */
export function referrerLabels({ predicateTypes, artifactType, state }: ReferrerReport): readonly string[] {
  const types = predicateTypes ?? [artifactType ?? 'of unknown type'];
  const missing = state === 'complete' ? '' : ', missing';
  return types.map((type) => `${WORDS.find(([start]) => type.startsWith(start))?.[1] ?? type}${missing}`);
}
