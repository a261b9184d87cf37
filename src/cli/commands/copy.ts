import { copyImages, DEFAULT_BLOB_JOBS, type CopyOptions } from '../../copy/copy-images.js';
import { copyToRegistry } from '../../copy/copy-to-registry.js';
import { checkJobs } from '../../copy/copy-blobs.js';
import { renamedSource } from '../../copy/renamed-source.js';
import { planExport } from '../../export/plan-export.js';
import { loadImages } from '../../load/load-images.js';
import { LadingError } from '../../model/errors.js';
import { parseReference } from '../../model/reference.js';
import type { Registries } from '../../registry/registries.js';
import type { RegistryDestination } from '../../registry/registry-destination.js';
import { parseRegistryReference, repositoryOf } from '../../registry/registry-name.js';
import type { OciLayoutStore } from '../../stores/layout/oci-layout-store.js';
import type { ImageDestination, ImageSource } from '../../stores/store.js';
import type { ImageReport, Warning } from '../../survey/reports.js';
import { checkOutput, openInput, writeArchive } from '../archive-file.js';
import { openStore, type CommandContext } from '../command-context.js';
import { hinted } from '../hints.js';
import { inputChoice } from '../input-choice.js';
import { nameAt, splitFile, splitFolder, type Place } from '../transports.js';
import { choicesOf, type CopyCommandOptions } from './copy-choices.js';

/** What one copy did, as the command reports it. */
export interface CopyOutcome {
  readonly images: readonly ImageReport[];
  readonly blobs: object;
  readonly warnings: readonly Warning[];
  readonly incomplete: boolean;
  readonly upToDate: boolean;
}

/** Copies the images of one place to another. */
export class OneCopy {
  readonly #registries: Registries;
  readonly #options: CopyCommandOptions;
  readonly #context: CommandContext;

  constructor(registries: Registries, options: CopyCommandOptions, context: CommandContext) {
    this.#registries = registries;
    this.#options = options;
    this.#context = context;
  }

  async run(from: Place, to: Place): Promise<CopyOutcome> {
    if (from.transport === 'docker' || from.transport === 'store') return await this.#copyNamed(from, to);
    if (this.#options.allTags === true) throw wrong('--all-tags is for a repository of a registry or of the store');
    return await this.#copyArchive(from, to);
  }

  async #copyNamed(from: Place, to: Place): Promise<CopyOutcome> {
    const names = this.#namesOf(from);
    const source = await this.#sourceOf(from);
    if (this.#options.dryRun === true) return await this.#plan(source, names);
    if (to.transport === 'docker') {
      const destination = this.#destinationOf(to, from, names);
      return await copyToRegistry(source, destination, names, this.#copying());
    }
    if (to.transport === 'store' || to.transport === 'oci') {
      const { store, name } = await this.#storeOf(to);
      const renamed = this.#renamed(source, names, to, name);
      return { ...(await copyImages(renamed.source, store, renamed.names, this.#copying())), upToDate: false };
    }
    return await this.#writeArchive(source, names, to);
  }

  async #plan(source: ImageSource, names: readonly string[]): Promise<CopyOutcome> {
    const { blobJobs: _, onConflict: __, ...choosing } = this.#copying();
    const { images, blobs, warnings, incomplete } = await planExport(source, names, choosing);
    return {
      images,
      blobs: { planned: blobs.count, bytesPlanned: blobs.bytes },
      warnings,
      incomplete,
      upToDate: false,
    };
  }

  async #writeArchive(source: ImageSource, names: readonly string[], to: Place): Promise<CopyOutcome> {
    const { path, name } = splitFile(to.rest);
    checkOutput(path);
    const renamed = this.#renamed(source, names, to, name);
    const { blobJobs: _, onConflict: __, ...choosing } = this.#copying();
    const plan = await planExport(renamed.source, renamed.names, choosing);
    await writeArchive(renamed.source, plan, path, this.#context.signal);
    const { images, blobs, warnings, incomplete } = plan;
    return { images, blobs: { copied: blobs.count, bytesCopied: blobs.bytes }, warnings, incomplete, upToDate: false };
  }

  async #copyArchive(from: Place, to: Place): Promise<CopyOutcome> {
    if (this.#options.dryRun === true)
      throw wrong(
        '--dry-run needs a registry or the store as its source; lading inspect --archive looks into an archive',
      );
    if (to.transport.endsWith('archive'))
      throw wrong('an archive is not copied to another one; load it into a store and save it from there');
    const { input, image } = inputChoice(from.rest);
    const { destination, name } = await this.#archiveDestination(to);
    const { platforms, referrers, missingPlatforms, onConflict, signal } = this.#copying();
    const options = {
      platforms,
      referrers,
      missingPlatforms,
      onConflict,
      signal,
      ...(image !== undefined && { image }),
      ...(name !== undefined && { name }),
    };
    const report = await loadImages(destination, openInput(input), options).catch((error: unknown) => {
      throw hintStore(error);
    });
    const isRegistry = to.transport === 'docker';
    const warnings = report.warnings.filter(({ code }) => !isRegistry || code !== 'WARN_TAG_ONLY');
    const { stored, present, bytesStored } = report.blobs;
    return {
      images: report.images,
      blobs: { copied: stored, present, bytesCopied: bytesStored },
      warnings,
      incomplete: report.incomplete,
      upToDate: false,
    };
  }

  async #archiveDestination(to: Place): Promise<{ readonly destination: ImageDestination; readonly name?: string }> {
    if (to.transport === 'docker') return { destination: this.#destinationOf(to, undefined, []) };
    const { store, name } = await this.#storeOf(to);
    return { destination: store, ...(name !== undefined && { name }) };
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

  async #sourceOf({ transport }: Place): Promise<ImageSource> {
    if (transport === 'docker') return this.#registries.source();
    return await openStore(this.#options, 'read', { claimReads: true });
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
    return this.#registries.destination(name, { tag, digest, blobJobs: this.#blobJobs() }, sources);
  }

  async #storeOf({ transport, rest }: Place): Promise<{ readonly store: OciLayoutStore; readonly name?: string }> {
    if (transport === 'store') return { store: await openStore(this.#options, 'write'), name: rest };
    const { path, name } = splitFolder(rest);
    const store = await openStore({ ...this.#options, store: path }, 'write');
    return { store, ...(name !== undefined && { name }) };
  }

  #renamed(source: ImageSource, names: readonly string[], to: Place, name: string | undefined) {
    const [from] = names;
    if (name === undefined || from === undefined) return { source, names };
    const reference = parseReference(nameAt(to, name, from));
    if (this.#options.allTags === true && reference.tag !== undefined)
      throw wrong('--all-tags takes a destination without a tag');
    const wanted = (this.#options.allTags === true ? reference : reference.withDefaultTag()).toString();
    return { source: renamedSource(source, [{ from, to: wanted }]), names: [wanted] };
  }

  #copying() {
    return { ...choicesOf(this.#options, this.#context), blobJobs: this.#blobJobs() } satisfies CopyOptions;
  }

  #blobJobs(): number {
    const jobs = Number(this.#options.blobJobs ?? DEFAULT_BLOB_JOBS);
    checkJobs(jobs, '--blob-jobs');
    return jobs;
  }
}

/** A pipe is read only once, so an index of a part cannot be written anew; a store can. */
function hintStore(error: unknown): unknown {
  const code = error instanceof LadingError ? error.details['registryCode'] : undefined;
  if (code !== 'MANIFEST_BLOB_UNKNOWN') return error;
  return hinted(
    error,
    'ERR_REGISTRY_REFUSED',
    'the registry takes no index without all of its images: load the archive into a store, and push the part from there',
  );
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
