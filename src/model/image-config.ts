import { isDigest } from './digest.js';
import { quote } from './errors.js';
import { asFields, asObject, asOptionalTexts, asText, asTexts, invalid, type JsonObject } from './json.js';
import type { Platform } from './platform.js';
import { OBJECT } from './rules.js';

/** The part of an image config that Lading reads (image-spec, "Image Configuration"). */
export interface ImageConfig {
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
  readonly created?: string;
  readonly config?: JsonObject;
  readonly rootfs?: { readonly type?: unknown; readonly diff_ids?: readonly string[] };
}

const FIELDS = 'architecture os variant os.version os.features created config rootfs'.split(' ');

/** A parsed JSON value as an image config. Throws ERR_DOCUMENT_INVALID. */
export function parseImageConfig(value: unknown, where: string): ImageConfig {
  const fields = asFields(value, where, FIELDS);
  for (const key of ['architecture', 'os', 'variant', 'os.version', 'created']) {
    if (fields[key] !== undefined) asText(fields[key], `${where}.${key}`);
  }
  const features = fields['os.features'];
  if (fields['config'] !== undefined) asObject(fields['config'], `${where}.config`);
  const rootfs = fields['rootfs'] === undefined ? undefined : parseRootfs(fields['rootfs'], `${where}.rootfs`);
  // Every field that the type names is checked.
  return {
    ...fields,
    ...(features !== undefined && { 'os.features': asOptionalTexts(features, `${where}.os.features`) }),
    ...(rootfs && { rootfs }),
  };
}

function parseRootfs(value: unknown, where: string): JsonObject {
  const rootfs = asFields(value, where, ['type', 'diff_ids']);
  if (rootfs['diff_ids'] !== undefined) checkDiffIds(rootfs['diff_ids'], `${where}.diff_ids`);
  return rootfs;
}

/** The platform that the config names; undefined if OS or architecture is missing. */
export function platformOf(config: ImageConfig): Platform | undefined {
  if (!config.os || !config.architecture) return undefined;
  return {
    os: config.os,
    architecture: config.architecture,
    ...(config.variant ? { variant: config.variant } : {}),
    ...(config['os.version'] ? { 'os.version': config['os.version'] } : {}),
    ...(config['os.features']?.length ? { 'os.features': config['os.features'] } : {}),
  };
}

/** The digests of the uncompressed layers, bottom first. */
export function diffIdsOf(config: ImageConfig): readonly string[] {
  OBJECT(config, 'config');
  return config.rootfs?.diff_ids ?? [];
}

function checkDiffIds(value: unknown, where: string): void {
  for (const id of asTexts(value, where)) if (!isDigest(id)) throw invalid(where, `${quote(id)} is not a digest`);
}
