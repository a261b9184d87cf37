import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../fixtures/tables.js';

/** One source file: its path under `src/`, its text without comments, and what it imports. */
export interface SourceFile {
  readonly file: string;
  readonly lines: number;
  readonly code: string;
  /** Packages and builtins by name, our own files by their path under `src/`, without extension. */
  readonly imports: readonly string[];
}

const SRC = path.join(projectRoot(), 'src');
const IMPORT = /^(?:import|export)\s(?:[^;'"]*\sfrom\s)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

export const files: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .toSorted()
  .map(readSource);

function readSource(file: string): SourceFile {
  const text = readFileSync(path.join(SRC, file), 'utf8');
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$|\s\/\/ .*$/gm, '');
  const found = [IMPORT, DYNAMIC].flatMap((pattern) => [...code.matchAll(pattern)].map(([, name = '']) => name));
  const imports = found.map((name) => (name.startsWith('.') ? resolved(file, name) : name));
  return { file, lines: text.split('\n').length - 1, code, imports };
}

export function resolved(file: string, name: string): string {
  return path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, '');
}

export const inside = (folder: string): readonly SourceFile[] =>
  files.filter(({ file }) => file.startsWith(`${folder}/`));
export const isOurs = (name: string): boolean => files.some(({ file }) => file === `${name}.ts`);

/** Files that only re-export names of other files. */
export const BARRELS = ['index', 'stages/index', 'stores/index', 'server/index'];

/** Each file that breaks a rule, with the import that does, as the message of a failing test. */
export function broken(rule: (source: SourceFile, imported: string) => boolean, among = files): readonly string[] {
  return among.flatMap((source) =>
    source.imports
      .filter((imported) => !rule(source, imported))
      .map((imported) => `${source.file} imports ${imported}`),
  );
}

/** The files that import one of the names. */
export function importers(...names: readonly string[]): readonly string[] {
  return files.filter(({ imports }) => imports.some((name) => names.includes(name))).map(({ file }) => file);
}

/** Single files that the server may import, beside the public names of index.ts. */
export const SERVER_FILES: readonly string[] = [
  // The rules for the arguments of public functions, and the patterns of both faces.
  'model/rules',
  'stores/port-rules',
  'model/glob',
  // Pulls, pushes and logins are those of the commands; the face knows which client they are for.
  'copy/copy-blobs',
  'copy/copy-images',
  'copy/copy-to-registry',
  'model/media-types',
  // An archive by a thread, in chunks whose memory is used again: only for who writes them at once.
  'export/send-archive',
  'registry/registries',
  'registry/registry-name',
  'registry/settings',
  'registry/http-client',
  'registry/mirrors',
  // A public name, by its own file.
  'content/documents',
];
