import type { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import { bytesOfBlobs } from '../model/content.js';
import type { ImageRecord } from '../model/image-list.js';
import { exactly } from '../model/platform-matcher.js';
import { formatPlatformFull, type Platform } from '../model/platform.js';
import type { ManifestNode } from '../stages/records.js';
import { platformMismatch } from '../survey/check-configs.js';
import type { ListedNode } from '../survey/survey-images.js';
import type { TrustReason } from './trust-report.js';
import type { PolicyRule } from './policy.js';

/** An image, and its nodes in the order of the walk. */
export interface SurveyedImage {
  readonly target: ImageRecord;
  readonly nodes: readonly ListedNode[];
}

/** Why what is here of an image is not what a rule allows: its digest, its platforms, its size. */
export async function contentReasons(
  documents: Documents,
  rule: PolicyRule,
  { target, nodes }: SurveyedImage,
): Promise<readonly TrustReason[]> {
  const { digest } = target.descriptor;
  const isOther = rule.digests !== undefined && !rule.digests.includes(digest);
  return [
    ...(isOther ? [denied(`${digest} is none of the digests that ${rule.label} allows`)] : []),
    ...platformReasons(rule, nodes),
    ...(await sizeReasons(documents, rule, nodes)),
  ];
}

/** The manifests that are here and are no referrers of others: what a user of the image can run. */
export function manifestsHere(nodes: readonly ListedNode[]): readonly ListedNode[] {
  return nodes.filter(
    ({ node, completeness }) =>
      node.subject === undefined && node.kind !== 'index' && completeness.state === 'complete',
  );
}

function denied(message: string): TrustReason {
  return { code: 'ERR_POLICY_DENIED', message };
}

/** A manifest that names no platform is none of the allowed ones. */
function platformReasons(
  { label, platforms, requirePlatforms = [] }: PolicyRule,
  nodes: readonly ListedNode[],
): readonly TrustReason[] {
  const here = manifestsHere(nodes).map(({ node }) => node);
  const allowed = platforms?.map(fits);
  const others = allowed === undefined ? [] : here.filter((node) => !allowed.some((fit) => fit(node)));
  const lacking = requirePlatforms.filter((wanted) => !here.some(fits(wanted)));
  return [
    ...others.map(({ descriptor: { digest }, platform }) => {
      const shown = platform === undefined ? 'no platform' : formatPlatformFull(platform);
      return denied(`${digest} is for ${shown}, which ${label} does not allow`);
    }),
    ...lacking.map((wanted) => denied(`${formatPlatformFull(wanted)} is not complete here, and ${label} demands it`)),
  ];
}

function fits(wanted: Platform): (node: ManifestNode) => boolean {
  const matcher = exactly(wanted);
  return ({ platform }) => platform !== undefined && matcher.matches(platform);
}

/** Counts each blob once, however many platforms share it, and what is here only. */
async function sizeReasons(
  documents: Documents,
  { label, maxBytes = Number.POSITIVE_INFINITY, maxLayers = Number.POSITIVE_INFINITY }: PolicyRule,
  nodes: readonly ListedNode[],
): Promise<readonly TrustReason[]> {
  if (maxBytes === Number.POSITIVE_INFINITY && maxLayers === Number.POSITIVE_INFINITY) return [];
  const blobs = new Map<Digest, number>();
  const layers = new Set<Digest>();
  for (const { node, completeness } of nodes) {
    if (completeness.state !== 'complete') continue;
    blobs.set(node.descriptor.digest, node.descriptor.size);
    const manifest = node.kind === 'manifest' ? await documents.manifest(node.descriptor) : undefined;
    for (const { digest, size } of manifest ? [manifest.config, ...manifest.layers] : []) blobs.set(digest, size);
    if (node.subject === undefined) for (const { digest } of manifest?.layers ?? []) layers.add(digest);
  }
  const bytes = bytesOfBlobs(blobs);
  return [
    ...(bytes > maxBytes ? [denied(`it has ${bytes} bytes; ${label} allows ${maxBytes}`)] : []),
    ...(layers.size > maxLayers ? [denied(`it has ${layers.size} layers; ${label} allows ${maxLayers}`)] : []),
  ];
}

/**
 * ERR_PLATFORM_MISMATCH for each config that names another platform than its descriptor, where no signature covers the
 * descriptor: an unsigned index could call an arm image amd64, and so could the list of an archive.
 */
export async function mismatchReasons(
  documents: Documents,
  { signatures, platforms, requirePlatforms }: PolicyRule,
  nodes: readonly ListedNode[],
  isRootSigned: boolean,
): Promise<readonly TrustReason[]> {
  if (signatures.length === 0 && platforms === undefined && requirePlatforms === undefined) return [];
  const reasons: TrustReason[] = [];
  for (const { node } of manifestsHere(nodes)) {
    if (node.kind !== 'manifest' || (isRootSigned && node.parent !== undefined)) continue;
    const manifest = await documents.manifest(node.descriptor);
    const config = manifest && (await documents.imageConfig(manifest));
    const mismatch = config && platformMismatch(node.descriptor, config);
    if (mismatch !== undefined) reasons.push({ code: 'ERR_PLATFORM_MISMATCH', message: mismatch.message });
  }
  return reasons;
}
