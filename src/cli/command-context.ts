import os from 'node:os';
import path from 'node:path';
import { OciLayoutStore, type OpenStoreOptions } from '../stores/layout/oci-layout-store.js';
import type { OutputOptions } from './console.js';
import type { ProgressOutput } from './progress/progress-output.js';

/** What every command gets beside its own options. */
export interface CommandContext {
  readonly signal: AbortSignal;
  /** Shows how a long call goes, if the command has `--progress`. */
  readonly progress: ProgressOutput;
}

/** The options that every command has. */
export interface CommonOptions extends OutputOptions {
  readonly store?: string;
}

/** Opens the store of `--store` or LADING_STORE, else the user's own. With `read` it writes nothing at all. */
export async function openStore(
  { store }: CommonOptions,
  access: 'read' | 'write',
  options: Omit<OpenStoreOptions, 'readOnly'> = {},
): Promise<OciLayoutStore> {
  return await OciLayoutStore.open(storeFolder(store), { now: Date.now, ...options, readOnly: access === 'read' });
}

/** The folder of `--store`, else of LADING_STORE, else of the user (XDG Base Directory Specification, "XDG_DATA_HOME"). */
export function storeFolder(store: string | undefined): string {
  return store ?? (process.env['LADING_STORE'] || ownFolder());
}

function ownFolder(): string {
  const dataHome = process.env['XDG_DATA_HOME'] ?? '';
  return path.join(path.isAbsolute(dataHome) ? dataHome : path.join(os.homedir(), '.local', 'share'), 'lading');
}

/** Adds a `--platform` value to those before it; each may be a comma list, as in docker. */
export function addPlatforms(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...value.split(',').map((platform) => platform.trim())];
}
