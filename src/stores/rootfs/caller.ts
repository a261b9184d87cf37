/** The user and group that new files belong to. 0 where the system has no such ids. */
export function callerIds(): { readonly uid: number; readonly gid: number } {
  return { uid: globalThis.process.geteuid?.() ?? 0, gid: globalThis.process.getegid?.() ?? 0 };
}
