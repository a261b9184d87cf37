import { totalBytes } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { diffIdsOf, type ImageConfig } from '../model/image-config.js';
import { historyOf } from '../model/image-history.js';
import type { ImageManifest } from '../model/image-manifest.js';
import { isForeignLayerType } from '../model/media-types.js';
import type { ManifestDescription } from './describe-manifests.js';
import { isLabels } from './image-facts.js';

/**
 * Whether a blob is here. `foreign`: a layer that is not here and that may not be distributed, so nobody misses it.
 * `base`: a layer that a thin archive leaves out, since its receiver has it.
 */
export type BlobState = 'present' | 'missing' | 'foreign' | 'base';

/** One blob of a platform. `size` is in bytes, as stored. */
export interface BlobReport {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  readonly state: BlobState;
}

/** One layer of a platform. */
export interface LayerReport extends BlobReport {
  /** The instruction that made it, as the config's history tells it, if that has one step for each layer. */
  readonly createdBy?: string;
}

/** What the manifest and the config of a platform say, as far as they are here. */
export interface PlatformFacts {
  readonly created?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDir?: string;
  /** Such as `8080/tcp`, sorted. */
  readonly ports?: readonly string[];
  /** Paths, sorted. */
  readonly volumes?: readonly string[];
  /** Names only: the values may hold secrets. */
  readonly environment?: readonly string[];
  /** The values too, if they were asked for. */
  readonly environmentValues?: Readonly<Record<string, string>>;
  readonly manifest?: BlobReport;
  readonly config?: BlobReport;
  /** Bottom layer first. */
  readonly layers?: readonly LayerReport[];
  readonly diffIds?: readonly string[];
  /** Bytes of manifest, config and layers, here or not. A foreign layer counts only if it is here. */
  readonly bytes?: number;
  /** The distinct blobs of these that are not here. */
  readonly missingBlobs?: { readonly count: number; readonly bytes: number };
}

/** What to tell, and the layers that a thin archive leaves out. */
interface FactsOf {
  readonly environmentValues?: boolean;
  readonly base?: { has(digest: Digest): boolean } | undefined;
}

/** The facts of a platform. A value of another type than its field must have is left out. */
export function platformFactsOf(description: ManifestDescription, options: FactsOf): PlatformFacts {
  const { manifest, config } = description;
  if (manifest === undefined) return {};
  const blobs = [...blobsOf(description)];
  const missing = blobs.filter(([digest]) => !description.present.has(digest));
  return {
    ...(config && configFacts(config, options)),
    manifest: blobReport(description, description.descriptor),
    config: blobReport(description, manifest.config),
    layers: layersOf(description, manifest, options),
    ...(config && { diffIds: diffIdsOf(config) }),
    bytes: totalBytes(blobs.map(([, size]) => size)),
    ...(missing.length > 0 && {
      missingBlobs: { count: missing.length, bytes: totalBytes(missing.map(([, size]) => size)) },
    }),
  };
}

/** The manifest, config and layers with their sizes, each once; foreign layers only if they are here. */
export function blobsOf(description: ManifestDescription): ReadonlyMap<Digest, number> {
  const { descriptor, manifest, present } = description;
  const all = manifest === undefined ? [] : [descriptor, manifest.config, ...manifest.layers];
  const counted = all.filter(({ digest, mediaType }) => present.has(digest) || !isForeignLayerType(mediaType));
  return new Map(counted.map(({ digest, size }) => [digest, size]));
}

function layersOf(
  description: ManifestDescription,
  { layers }: ImageManifest,
  { base }: FactsOf,
): readonly LayerReport[] {
  const steps = historyOf(description.config ?? {}).filter(({ isEmpty }) => !isEmpty);
  return layers.map((layer, at) => {
    const createdBy = steps.length === layers.length ? steps[at]?.createdBy : undefined;
    const report = blobReport(description, layer);
    const state = base?.has(layer.digest) === true ? 'base' : report.state;
    return { ...report, state, ...(createdBy && { createdBy }) };
  });
}

function blobReport({ present }: ManifestDescription, { digest, size, mediaType }: Descriptor): BlobReport {
  const absent = isForeignLayerType(mediaType) ? 'foreign' : 'missing';
  return { digest, size, mediaType, state: present.has(digest) ? 'present' : absent };
}

function configFacts(config: ImageConfig, options: { readonly environmentValues?: boolean }): PlatformFacts {
  const { Entrypoint: entrypoint, Cmd: command, Labels: labels, User: user, WorkingDir: folder } = config.config ?? {};
  const { ExposedPorts: ports, Volumes: volumes, Env: environment } = config.config ?? {};
  return {
    ...(config.created && { created: config.created }),
    ...(isTexts(entrypoint) && { entrypoint }),
    ...(isTexts(command) && { command }),
    ...(isLabels(labels) && { labels }),
    ...(isText(user) && { user }),
    ...(isText(folder) && { workingDir: folder }),
    ...(isObject(ports) && { ports: Object.keys(ports).toSorted() }),
    ...(isObject(volumes) && { volumes: Object.keys(volumes).toSorted() }),
    ...(isTexts(environment) && environmentFacts(environment, options)),
  };
}

function environmentFacts(
  environment: readonly string[],
  { environmentValues = false }: { readonly environmentValues?: boolean },
): PlatformFacts {
  const pairs = environment.map((text): [string, string] => {
    const end = text.includes('=') ? text.indexOf('=') : text.length;
    return [text.slice(0, end), text.slice(end + 1)];
  });
  return {
    environment: pairs.map(([name]) => name),
    ...(environmentValues && { environmentValues: Object.fromEntries(pairs) }),
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
