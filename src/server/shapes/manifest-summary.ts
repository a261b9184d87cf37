import type { Descriptor, ManifestDescription } from '../../index.js';

/** One manifest of an image in a listing or inspection. The tree of Docker 29 needs every field of its kind. */
export interface ManifestSummary {
  readonly ID: string;
  readonly Descriptor: Descriptor;
  readonly Available: boolean;
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly Kind: ManifestDescription['kind'];
  readonly ImageData?: {
    readonly Platform: object;
    readonly Containers: readonly string[];
    readonly Size: { readonly Unpacked: number };
  };
  readonly AttestationData?: { readonly For: string };
}

/** Nothing is unpacked here, so `Total` equals `Content`. */
export function manifestSummaryOf(manifest: ManifestDescription): ManifestSummary {
  const { descriptor, available, kind, platform, subject } = manifest;
  const bytes = bytesOf(manifest.present);
  return {
    ID: descriptor.digest,
    Descriptor: descriptor,
    Available: available,
    Size: { Content: bytes, Total: bytes },
    Kind: kind,
    ...(kind === 'image' && {
      ImageData: {
        Platform: platform ?? { architecture: '', os: '' },
        Containers: [],
        Size: { Unpacked: 0 },
      },
    }),
    ...(subject !== undefined && { AttestationData: { For: subject } }),
  };
}

/** The sum of the sizes of blobs. */
export function bytesOf(blobs: ReadonlyMap<string, number>): number {
  return [...blobs.values()].reduce((sum, size) => sum + size, 0);
}
