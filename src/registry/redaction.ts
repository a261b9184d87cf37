/** What stands in the place of a secret. */
const HIDDEN = '[hidden]';

/** Shorter texts are no secrets worth the name, and hiding them would make messages unreadable. */
const MIN_CHARACTERS = 4;

/**
 * Hides secrets in all text that comes from outside or that goes out: registries may send back what they were sent.
 * Holds each password and token of the process once.
 */
export class Redaction {
  readonly #secrets = new Set<string>();

  /** Notes a secret, and the forms in which it goes over the wire. */
  add(secret: string | undefined): void {
    if (secret === undefined || secret.length < MIN_CHARACTERS) return;
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
      this.#secrets.add(form);
  }

  /** The text without the secrets, and without passwords and queries of URLs in it. */
  hide(text: string): string {
    let hidden = text
      .replaceAll(/\b(https?:\/\/)[^\s/"'<>@]*@/gi, `$1${HIDDEN}@`)
      .replaceAll(/\b(https?:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/gi, `$1?${HIDDEN}`)
      .replaceAll(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${HIDDEN}`);
    for (const secret of this.#secrets) hidden = hidden.replaceAll(secret, HIDDEN);
    return hidden;
  }
}

/** A URL as messages show it: without user, query and fragment. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
