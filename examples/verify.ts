import { quarantineDamaged, verifyImages, type Store } from '../src/index.js';

/** Hashes every blob of the store, and takes damaged ones out. The next load of their image stores them again. */
export async function repair(store: Store): Promise<void> {
  const { problems } = await verifyImages(store);
  for (const { code, message } of problems) console.warn(code, message);
  await quarantineDamaged(
    store,
    problems.flatMap(({ digest }) => digest ?? []),
  );
}
