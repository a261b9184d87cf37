import { parseRequest, hostPlatform } from '../survey/host-platform.js';
import type { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { formatPlatformFull, type Platform } from '../model/platform.js';
import { labelOf, type ImageReport } from '../survey/reports.js';
import { surveyImages, type ReferrersOf, type Survey } from '../survey/survey-images.js';

/** What a verification demands beyond that nothing is damaged. */
export interface Demands {
  /** Demands that all that the images list is here. */
  readonly complete?: boolean;
  /** Demands that each image has these platforms whole. An artifact without any platform has none to be missing. */
  readonly platforms?: readonly (string | Platform)[];
  readonly hostPlatform?: Platform;
}

/** A platform that was demanded and is not whole. `missing` is the first digest that is not here. */
export interface Unmet {
  readonly image: string;
  readonly digest: Digest;
  /** `unknown` for a manifest that names no platform, an attestation for example. */
  readonly platform: string;
  readonly state: 'absent' | 'missing';
  readonly missing?: Digest;
}

/** The demands that the images do not meet. */
export async function unmetDemands(
  documents: Documents,
  targets: readonly ImageRecord[],
  { images, survey }: { readonly images: readonly ImageReport[]; readonly survey: Survey },
  demands: Demands & { readonly referrersOf?: ReferrersOf },
): Promise<readonly Unmet[]> {
  const { complete = false, platforms = [], referrersOf } = demands;
  const unmet = complete ? [...images.flatMap(incompleteOf), ...otherMissing(survey)] : [];
  if (platforms.length === 0) return unmet;
  const requested = parseRequest(platforms, demands.hostPlatform ?? hostPlatform());
  const asked = await surveyImages(documents, targets, { platforms: requested, ...(referrersOf && { referrersOf }) });
  const lacking = targets
    .filter((target) => mayHavePlatforms(survey, target))
    .flatMap((target) => lackingOf(asked, target));
  const known = new Set(unmet.map(keyOf));
  return [...unmet, ...lacking.filter((one) => !known.has(keyOf(one)))];
}

function incompleteOf(image: ImageReport): readonly Unmet[] {
  return image.platforms.flatMap(({ platform, state, missing }) =>
    state === 'complete'
      ? []
      : [
          {
            image: labelOf(image),
            digest: image.digest,
            platform,
            state: 'missing' as const,
            ...(missing && { missing }),
          },
        ],
  );
}

/** Indexes, attestations and other referrers that are listed and not whole. */
function otherMissing({ nodes }: Survey): readonly Unmet[] {
  return nodes
    .filter(({ node }) => node.kind !== 'manifest' || node.subject !== undefined)
    .flatMap(({ node, completeness: { state, missing } }) =>
      state === 'complete'
        ? []
        : [unmetOf(node.target, { platform: 'unknown', state: 'missing', ...(missing && { missing }) })],
    );
}

/** False for an artifact: its manifests name no platform, or its root is of a type that has none. */
function mayHavePlatforms({ platforms, nodes }: Survey, target: ImageRecord): boolean {
  const outcomes = platforms.outcomesOf(target);
  const isOpaque = nodes.some(
    ({ node }) => node.target === target && node.parent === undefined && node.kind === 'opaque',
  );
  return !isOpaque && (outcomes.length === 0 || outcomes.some(({ platform }) => platform !== undefined));
}

function lackingOf({ platforms }: Survey, target: ImageRecord): readonly Unmet[] {
  return platforms
    .unmetOf(target)
    .map(({ platform, ...rest }) => unmetOf(target, { ...rest, platform: formatPlatformFull(platform) }));
}

function unmetOf({ name, descriptor: { digest } }: ImageRecord, what: Omit<Unmet, 'image' | 'digest'>): Unmet {
  return { image: labelOf({ digest, ...(name !== undefined && { name }) }), digest, ...what };
}

function keyOf({ image, digest, platform }: Unmet): string {
  return `${image} ${digest} ${platform}`;
}
