import type { ImageInspection, PlatformInspection } from '../inspect/inspect-images.js';
import type { ListedSignature } from '../inspect/listed-signatures.js';
import { quote } from '../model/errors.js';
import { parseReference } from '../model/reference.js';
import type { TreeOptions } from './inspection-tree.js';
import { nameOf } from './image-table.js';
import { compareNaturally } from './natural-order.js';

/** An image as lines that a script can search: whole digests, nothing cut. */
export function inspectionLines(
  { name, tag, names, digest, mediaType, platforms, referrers, signatures }: ImageInspection,
  options: TreeOptions,
): readonly string[] {
  const others = names
    .filter((other) => other !== name)
    .toSorted(compareNaturally)
    .map((other) => parseReference(other).familiar());
  return [
    nameOf({ ...(name !== undefined && { name }), ...(tag !== undefined && { tag }), digest }),
    `  digest      ${digest}`,
    `  type        ${mediaType}`,
    ...(others.length > 0 ? [`  also named  ${others.join(', ')}`] : []),
    ...platforms.flatMap((platform) => platformLines(platform, options)),
    ...referrers.map(
      ({ digest: referrer, subject, state }) => `  referrer    ${referrer} (${state}), refers to ${subject}`,
    ),
    ...signatures.map(signatureLine),
  ];
}

/** What nobody has signed is quoted. */
function signatureLine({ kind, over, predicateType, state }: ListedSignature): string {
  const type = predicateType === undefined ? '' : ` ${quote(predicateType)}`;
  return `  signature   ${kind}${type} over ${over} (${state})`;
}

function platformLines(platform: PlatformInspection, { size, layers: isShown }: TreeOptions): readonly string[] {
  const { layers = [], bytes, sharedBytes = 0, missing } = platform;
  const sizes = bytes === undefined ? '' : `, ${size(bytes)} (${size(sharedBytes)} shared)`;
  const missed = missing === undefined ? '' : `, ${missing} is missing`;
  return [
    `  ${platform.platform}: ${platform.state}${missed}${sizes}`,
    ...(platform.digest === undefined ? [] : [`    manifest    ${platform.digest}`]),
    ...(platform.created === undefined ? [] : [`    created     ${platform.created}`]),
    ...(platform.entrypoint === undefined ? [] : [`    entrypoint  ${JSON.stringify(platform.entrypoint)}`]),
    ...(platform.command === undefined ? [] : [`    command     ${JSON.stringify(platform.command)}`]),
    ...Object.entries(platform.labels ?? {}).map(([key, value]) => `    label       ${key}=${value}`),
    ...(isShown ? layers : []).map(
      (layer) =>
        `    layer       ${layer.digest} ${size(layer.size)} ${layer.mediaType}${layer.state === 'present' ? '' : ` (${layer.state === 'base' ? 'in base' : layer.state})`}`,
    ),
  ];
}
