import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageManifest } from '../model/image-manifest.js';
import { check, fields, listOf, OBJECT, TEXT } from '../model/rules.js';
import { isBundleType } from './bundle.js';
import { STATEMENT_TYPE } from './envelope.js';

/** What a signature was found as. `notation` and `in-toto` are told, and not checked. */
export type SignatureKind = 'cosign' | 'dsse' | 'bundle' | 'notation' | 'in-toto';

/** Something that claims to speak of a digest. Where it was found proves nothing. */
export interface FoundSignature {
  readonly kind: SignatureKind;
  readonly over: Digest;
  /** The layer with what is signed. */
  readonly layer: Descriptor;
  /** The type of an attestation, as annotations state it: nobody has signed that. */
  readonly predicateType?: string;
}

const KINDS: Readonly<Record<string, SignatureKind>> = {
  'application/vnd.dev.cosign.simplesigning.v1+json': 'cosign',
  'application/vnd.dsse.envelope.v1+json': 'dsse',
  'application/jose+json': 'notation',
  'application/cose': 'notation',
  [STATEMENT_TYPE]: 'in-toto',
};

/** Where BuildKit and cosign 2 state the type of an attestation. */
const LAYER_HINTS = ['in-toto.io/predicate-type', 'predicateType'];

/** Where cosign 3 does, on the manifest. */
const BUNDLE_HINT = 'dev.sigstore.bundle.predicateType';

const ARGUMENTS = { manifest: fields({ layers: listOf(OBJECT) }), over: TEXT };

/** The signatures and attestations in a manifest that is said to speak of a digest. It reads and checks none of them. */
export function signaturesIn(manifest: ImageManifest, over: Digest): readonly FoundSignature[] {
  check(ARGUMENTS, { manifest, over });
  return manifest.layers.flatMap((layer) => {
    const kind = isBundleType(layer.mediaType) ? 'bundle' : KINDS[layer.mediaType];
    if (kind === undefined) return [];
    const hints = [...LAYER_HINTS.map((key) => layer.annotations?.[key]), manifest.annotations?.[BUNDLE_HINT]];
    const predicateType = hints.find((hint) => hint !== undefined);
    return [{ kind, over, layer, ...(predicateType !== undefined && { predicateType }) }];
  });
}
