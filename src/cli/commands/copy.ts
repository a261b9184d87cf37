import { copyImages, DEFAULT_BLOB_JOBS, type CopyOptions } from '../../copy/copy-images.js';
import { copyToRegistry } from '../../copy/copy-to-registry.js';
import { checkJobs } from '../../copy/copy-blobs.js';
import { renamedSource, type Renaming } from '../../copy/renamed-source.js';
import { SharedWork } from '../../copy/shared-work.js';
import { planExport } from '../../export/plan-export.js';
import type { Digest } from '../../model/digest.js';
import { LadingError, quote } from '../../model/errors.js';
import { parseReference } from '../../model/reference.js';
import type { Registries } from '../../registry/registries.js';
import type { RegistryDestination } from '../../registry/registry-destination.js';
import { nameOfRepository, parseRegistryReference, repositoryOf } from '../../registry/registry-name.js';
import type { OciLayoutStore } from '../../stores/layout/oci-layout-store.js';
import type { ImageSource } from '../../stores/store.js';
import { checkOutput, writeArchive } from '../archive-file.js';
import { openStore, type CommandContext } from '../command-context.js';
import type { CopyJob } from '../copy-lines.js';
import { isArchive, nameAt, splitFile, splitFolder, type Place } from '../transports.js';
import { copyArchive, type ArchiveTarget } from './copy-archive.js';
import { choicesOf, type CopyCommandOptions } from './copy-choices.js';
import type { CopyOutcome } from './copy-outcome.js';

/** The digest that an image got when it was copied like this before. */
export type CopiedBefore = (source: Digest) => Digest | undefined;

/** Copies the images of one place to another. Copies that run at the same time share their blobs. */
export class OneCopy {
  readonly #registries: Registries;
  readonly #options: CopyCommandOptions;
  readonly #context: CommandContext;
  readonly #work: SharedWork;
  readonly #sources = new Map<string, ImageSource>();

  constructor(registries: Registries, options: CopyCommandOptions, context: CommandContext) {
    this.#registries = registries;
    this.#options = options;
    this.#context = context;
    this.#work = new SharedWork(blobJobsOf(options));
  }

  async run(job: CopyJob, copiedBefore: CopiedBefore = () => undefined): Promise<CopyOutcome> {
    const [{ source: from, target: to }] = job;
    if (isArchive(from) || from.transport === 'oci') return await this.#copyArchive(from, to);
    const places = job.map(({ source, target }) => ({ from: source, to: target, names: this.#namesOf(source) }));
    const source = await this.#sourceOf(from);
    const names = places.flatMap((one) => one.names);
    if (this.#options.dryRun === true) return await this.#plan(source, names);
    if (isArchive(to)) return await this.#writeArchive(source, places);
    if (to.transport === 'docker') {
      const destination = this.#destinationOf(to, from, names);
      const { host } = repositoryOf(parseRegistryReference(to.rest));
      return await copyToRegistry(source, destination, names, { ...this.#copying(host), copiedBefore });
    }
    const { store, name } = await this.#storeOf(to);
    const renamed = renamedTo(source, [{ to, names, name }], this.#options);
    const copying = this.#copying(to.transport === 'store' ? to.transport : `oci:${splitFolder(to.rest).path}`);
    return { ...(await copyImages(renamed.source, store, renamed.names, copying)), upToDate: false };
  }

  async #plan(source: ImageSource, names: readonly string[]): Promise<CopyOutcome> {
    const { onConflict: _, ...choosing } = choicesOf(this.#options, this.#context);
    const { images, blobs, warnings, incomplete } = await planExport(source, names, choosing);
    return {
      images,
      blobs: { planned: blobs.count, bytesPlanned: blobs.bytes },
      warnings,
      incomplete,
      upToDate: false,
    };
  }

  async #writeArchive(
    source: ImageSource,
    places: readonly { readonly to: Place; readonly names: readonly string[] }[],
  ): Promise<CopyOutcome> {
    const files = places.map(({ to, names }) => ({ to, names, ...splitFile(to.rest) }));
    const path = files[0]?.path;
    checkOutput(path);
    const renamed = renamedTo(source, files, this.#options);
    const { onConflict: _, ...choosing } = choicesOf(this.#options, this.#context);
    const plan = await planExport(renamed.source, renamed.names, choosing);
    await writeArchive(renamed.source, plan, path, this.#context.signal);
    const { images, blobs, warnings, incomplete } = plan;
    return { images, blobs: { copied: blobs.count, bytesCopied: blobs.bytes }, warnings, incomplete, upToDate: false };
  }

  async #copyArchive(from: Place, to: Place): Promise<CopyOutcome> {
    if (this.#options.allTags === true) throw wrong('--all-tags is for a repository of a registry or of the store');
    if (this.#options.dryRun === true)
      throw wrong(
        '--dry-run needs a registry or the store as its source; lading inspect --archive looks into an archive',
      );
    if (isArchive(to))
      throw wrong('an archive is not copied to another one; load it into a store and save it from there');
    return await copyArchive(from, await this.#archiveTarget(to), choicesOf(this.#options, this.#context));
  }

  async #archiveTarget(to: Place): Promise<ArchiveTarget> {
    if (to.transport === 'docker') return { destination: this.#destinationOf(to, undefined, []), isRegistry: true };
    const { store, name } = await this.#storeOf(to);
    return { destination: store, isRegistry: false, ...(name !== undefined && { name }) };
  }

  /** The full names at the source. A name without a tag means `latest`, or every tag with `--all-tags`. */
  #namesOf({ transport, rest }: Place): readonly string[] {
    const { allTags = false } = this.#options;
    if (transport === 'store' && /^(?:sha\d+:)?[0-9a-f]{12,}$/.test(rest)) return [rest];
    const reference = transport === 'docker' ? parseRegistryReference(rest) : parseReference(rest);
    if (!allTags) return [reference.withDefaultTag().toString()];
    if (reference.tag !== undefined || reference.digest !== undefined)
      throw wrong('--all-tags takes a name without a tag');
    return [reference.toString()];
  }

  /** One source for each repository of a registry, so that its tags are listed once. */
  async #sourceOf({ transport, rest }: Place): Promise<ImageSource> {
    if (transport !== 'docker') return await openStore(this.#options, 'read', { claimReads: true });
    const repository = nameOfRepository(repositoryOf(parseRegistryReference(rest)));
    const source = this.#sources.get(repository) ?? this.#registries.source();
    this.#sources.set(repository, source);
    return source;
  }

  #destinationOf({ rest }: Place, from: Place | undefined, names: readonly string[]): RegistryDestination {
    const reference = parseRegistryReference(rest);
    const { tag, digest } = reference;
    if (this.#options.allTags === true && (tag ?? digest) !== undefined)
      throw wrong('--all-tags takes a destination without a tag');
    const name = repositoryOf(reference);
    const own = from?.transport === 'docker' ? names.map((one) => repositoryOf(parseRegistryReference(one))) : [];
    // What the registry has in the repository that it comes from need not travel.
    const sources = own.filter(({ host, path }) => host === name.host && path !== name.path).map(({ path }) => path);
    return this.#registries.destination(name, { tag, digest, blobJobs: blobJobsOf(this.#options) }, sources);
  }

  async #storeOf({ transport, rest }: Place): Promise<{ readonly store: OciLayoutStore; readonly name?: string }> {
    if (transport === 'store') return { store: await openStore(this.#options, 'write'), name: rest };
    const { path, name } = splitFolder(rest);
    const store = await openStore({ ...this.#options, store: path }, 'write');
    return { store, ...(name !== undefined && { name }) };
  }

  #copying(place: string) {
    return {
      ...choicesOf(this.#options, this.#context),
      shared: { work: this.#work, place },
    } satisfies CopyOptions;
  }
}

/** Images of one place, and the name that they get at the other, if one was given. */
interface Named {
  readonly to: Place;
  readonly names: readonly string[];
  readonly name?: string | undefined;
}

/** The source as the destination names its images. */
function renamedTo(
  source: ImageSource,
  all: readonly Named[],
  options: CopyCommandOptions,
): { readonly source: ImageSource; readonly names: readonly string[] } {
  if (all.every(({ name }) => name === undefined)) return { source, names: all.flatMap(({ names }) => names) };
  const renamings = all.flatMap(({ to, names, name }) =>
    names.map((from) => ({ from, to: name === undefined ? from : newName(to, name, from, options) })),
  );
  checkDistinct(renamings);
  return { source: renamedSource(source, renamings), names: renamings.map(({ to }) => to) };
}

function newName(to: Place, name: string, from: string, { allTags = false }: CopyCommandOptions): string {
  const reference = parseReference(nameAt(to, name, from));
  if (allTags && reference.tag !== undefined) throw wrong('--all-tags takes a destination without a tag');
  return (allTags ? reference : reference.withDefaultTag()).toString();
}

function checkDistinct(renamings: readonly Renaming[]): void {
  const known = new Map<string, string>();
  for (const { from, to } of renamings) {
    const other = known.get(to) ?? from;
    if (other !== from) throw wrong(`${quote(other)} and ${quote(from)} would both become ${to}`);
    known.set(to, from);
  }
}

function blobJobsOf({ blobJobs }: CopyCommandOptions): number {
  const jobs = Number(blobJobs ?? DEFAULT_BLOB_JOBS);
  checkJobs(jobs, '--blob-jobs');
  return jobs;
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
