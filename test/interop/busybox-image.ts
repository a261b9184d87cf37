import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BlobSet } from '../fixtures/blob-set.js';
import { missingForInterop, requireTool } from '../fixtures/command.js';
import type { MultiPlatformImage } from '../fixtures/image-builder.js';
import { buildImage, buildIndex } from '../fixtures/manifest-builder.js';

/** Debian's name of each architecture, by the platform of its packages. */
export const BUSYBOX_PLATFORMS: Readonly<Record<string, string>> = {
  'linux/amd64': 'amd64',
  'linux/arm64': 'arm64',
  'linux/arm/v7': 'armhf',
  'linux/386': 'i386',
  'linux/ppc64le': 'ppc64el',
  'linux/s390x': 's390x',
};

/** Where `fetch-busybox.sh` put the packages: LADING_BUSYBOX, else `build/busybox` of the checkout. */
export const BUSYBOX_FOLDER =
  process.env['LADING_BUSYBOX'] ?? fileURLToPath(new URL('../../../build/busybox', import.meta.url));

/** A real image of several platforms, with all its blobs. */
export interface BusyboxImage extends Omit<MultiPlatformImage, 'attestations'> {
  readonly blobs: BlobSet;
}

/** True if dpkg and the packages of all platforms are here. Else skips the test, or fails it if interop is required. */
export function requireBusybox(t: TestContext): boolean {
  if (!requireTool(t, 'dpkg-deb')) return false;
  const missing = Object.values(BUSYBOX_PLATFORMS).filter((architecture) => packageOf(architecture) === undefined);
  if (missing.length === 0) return true;
  return missingForInterop(t, `needs busybox-static of ${missing.join(', ')}: run test/interop/fetch-busybox.sh`);
}

/** The image: one gzip layer for each platform, the files of its Debian package. Same packages, same digests. */
export function buildBusyboxImage(platforms: readonly string[] = Object.keys(BUSYBOX_PLATFORMS)): BusyboxImage {
  const blobs = new BlobSet();
  const manifests = new Map(platforms.map((platform) => [platform, buildPlatform(blobs, platform)]));
  const root = buildIndex(blobs, [...manifests.values()]);
  return { blobs, root, manifests };
}

function buildPlatform(blobs: BlobSet, platform: string) {
  const config = { Env: ['PATH=/bin'], Entrypoint: ['/bin/busybox'], Labels: { 'org.example.busybox': platform } };
  return buildImage(blobs, [busyboxTar(platform)], { platform, gzipLevel: 1, configExtra: { config } });
}

/** The files of the Debian package of a platform, as a tar. */
export function busyboxTar(platform: string): Buffer {
  const architecture = BUSYBOX_PLATFORMS[platform];
  const file = architecture === undefined ? undefined : packageOf(architecture);
  if (file === undefined) throw new Error(`no busybox-static package for ${platform} in ${BUSYBOX_FOLDER}`);
  // dpkg-deb prints the tar as it is in the package. File times are the package's, so nothing depends on the day.
  return execFileSync('dpkg-deb', ['--fsys-tarfile', file], { maxBuffer: 64 * 1024 * 1024 });
}

function packageOf(architecture: string): string | undefined {
  if (!existsSync(BUSYBOX_FOLDER)) return undefined;
  const name = readdirSync(BUSYBOX_FOLDER).find((file) => file.endsWith(`_${architecture}.deb`));
  return name === undefined ? undefined : join(BUSYBOX_FOLDER, name);
}
