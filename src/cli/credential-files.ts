import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LadingError, quote } from '../model/errors.js';
import type { CredentialFile } from '../registry/credentials.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** A place where credentials may be. One that the user named must be there. */
export interface CredentialPlace {
  readonly file: string;
  readonly isNamed: boolean;
}

/** Where credentials are looked for, in this order: as podman and then docker do. */
export function credentialFiles(
  authfile: string | undefined,
  env: Environment,
  home: string,
): readonly CredentialPlace[] {
  const named = [authfile, env['REGISTRY_AUTH_FILE']].flatMap((file) => (file ? [{ file, isNamed: true }] : []));
  const runtime = env['XDG_RUNTIME_DIR'] || `/run/containers/${process.getuid?.() ?? 0}`;
  const config = env['XDG_CONFIG_HOME'] || path.join(home, '.config');
  const standard = [
    path.join(runtime, 'containers', 'auth.json'),
    path.join(config, 'containers', 'auth.json'),
    dockerConfig(env, home),
  ];
  return [...named, ...standard.map((file) => ({ file, isNamed: false }))];
}

/** Docker's own file. */
export function dockerConfig(env: Environment, home: string): string {
  return path.join(env['DOCKER_CONFIG'] || path.join(home, '.docker'), 'config.json');
}

/** The texts of the files that are there. Throws ERR_CREDENTIALS for a named file that cannot be read. */
export function readCredentialFiles(places: readonly CredentialPlace[]): readonly CredentialFile[] {
  return places.flatMap(({ file, isNamed }) => {
    try {
      return [{ path: file, text: readFileSync(file, 'utf8') }];
    } catch (cause) {
      if (!isNamed) return [];
      throw new LadingError('ERR_CREDENTIALS', `cannot read the file of credentials ${quote(file)}`, { cause });
    }
  });
}
