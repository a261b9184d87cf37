/** The start of a digest, as the docker command shows ids: 12 characters. */
export function shortId(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}
